"""Accounts of reviewers: what is kept of a password, and who gets in."""

import pytest
from typer.testing import CliRunner

from realframe.cli.account_commands import users_app as commands
from realframe.errors import AccountError
from realframe.store import accounts
from realframe.store.accounts import Account
from realframe.store.repository import Store

PASSWORD, OTHER = "correct horse battery", "staple of another one"


def test_only_the_right_password_of_the_right_account_gets_in(store: Store) -> None:
    accounts.add(store, "ada", "reviewer", PASSWORD)
    accounts.add(store, "bob", "admin", OTHER)
    assert accounts.sign_in(store, "ada", PASSWORD).role == "reviewer"
    told = {}
    for name, password in (("ada", OTHER), ("bob", PASSWORD), ("ada", ""), ("mallory", PASSWORD)):
        with pytest.raises(AccountError) as refused:
            accounts.sign_in(store, name, password)
        told[name] = refused.value.reason
    assert len(set(told.values())) == 1, "it tells whether the account is there"


def test_the_store_holds_no_password_and_no_equal_hashes(store: Store) -> None:
    accounts.add(store, "ada", "reviewer", PASSWORD)
    accounts.add(store, "bob", "reviewer", PASSWORD)
    ada, bob = accounts.everyone(store)
    assert PASSWORD not in ada.model_dump_json()
    assert ada.salt != bob.salt and ada.scrypt != bob.scrypt


def test_a_new_password_replaces_the_old_one_and_keeps_the_role(store: Store) -> None:
    accounts.add(store, "ada", "analyst", PASSWORD)
    accounts.set_password(store, "ada", OTHER)
    assert accounts.sign_in(store, "ada", OTHER).role == "analyst"
    with pytest.raises(AccountError, match="not right"):
        accounts.sign_in(store, "ada", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [
        ("ada", PASSWORD, "has an account already"),
        ("bob", "short", "at least 10 characters"),
        ("a b", PASSWORD, "is no name for"),
    ],
)
def test_an_account_that_cannot_be_made_is_told(name: str, password: str, told: str, store: Store) -> None:
    accounts.add(store, "ada", "reviewer", PASSWORD)
    with pytest.raises(AccountError, match=told):
        accounts.add(store, name, "reviewer", password)
    assert [account.name for account in accounts.everyone(store)] == ["ada"]


def test_the_commands_make_list_and_remove_accounts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*arguments: str, typed: str = "") -> str:
        answer = CliRunner().invoke(commands, arguments, input=typed, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    assert "ada: reviewer\n" in call("add", "ada", typed=f"{PASSWORD}\n{PASSWORD}\n")
    monkeypatch.setenv("REALFRAME_PASSWORD", OTHER)
    call("add", "bob", "--role", "admin")
    assert [line.split(",")[0] for line in call("list").splitlines()] == ["ada: reviewer", "bob: admin"]
    call("passwd", "ada")
    assert accounts.sign_in(store, "ada", OTHER)
    call("remove", "bob")
    assert store.keys(Account) == {"ada"}
    with pytest.raises(AccountError, match=r"bob: has no account \(there are: ada\)"):
        call("remove", "bob")
    assert CliRunner().invoke(commands, ["add", "eve", "--role", "boss"]).exit_code == 2
