"""Accounts: how passwords are stored and verified, and the commands that manage accounts."""

import pytest
from typer.testing import CliRunner

from realframe.cli.account_commands import users_app as commands
from realframe.errors import AccountError
from realframe.store import accounts
from realframe.store.accounts import Account
from realframe.store.repository import Store

PASSWORD, OTHER = "correct horse battery", "staple of another one"


@pytest.mark.slow
def test_only_the_correct_password_of_an_account_signs_in(store: Store) -> None:
    accounts.add_account(store, "ada", "reviewer", PASSWORD)
    accounts.add_account(store, "bob", "admin", OTHER)
    assert accounts.verify_password(store, "ada", PASSWORD).role == "reviewer"
    reasons = {}
    for name, password in (("ada", OTHER), ("bob", PASSWORD), ("ada", ""), ("mallory", PASSWORD)):
        with pytest.raises(AccountError) as refused:
            accounts.verify_password(store, name, password)
        reasons[name] = refused.value.reason
    assert len(set(reasons.values())) == 1, "the error reveals whether the account exists"


def test_the_store_holds_no_password_and_hashes_differ_by_salt(store: Store) -> None:
    accounts.add_account(store, "ada", "reviewer", PASSWORD)
    accounts.add_account(store, "bob", "reviewer", PASSWORD)
    ada, bob = accounts.list_accounts(store)
    assert PASSWORD not in ada.model_dump_json()
    assert ada.salt != bob.salt and ada.password_hash != bob.password_hash


@pytest.mark.slow
def test_a_new_password_replaces_the_old_one_and_keeps_the_role(store: Store) -> None:
    accounts.add_account(store, "ada", "analyst", PASSWORD)
    accounts.set_password(store, "ada", OTHER)
    assert accounts.verify_password(store, "ada", OTHER).role == "analyst"
    with pytest.raises(AccountError, match="not correct"):
        accounts.verify_password(store, "ada", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        ("ada", PASSWORD, "has an account already"),
        ("bob", "short", "at least 10 characters"),
        ("a b", PASSWORD, "is not a valid account name"),
    ],
)
def test_an_invalid_account_is_refused_with_the_reason(name: str, password: str, reason: str, store: Store) -> None:
    accounts.add_account(store, "ada", "reviewer", PASSWORD)
    with pytest.raises(AccountError, match=reason):
        accounts.add_account(store, name, "reviewer", password)
    assert [account.name for account in accounts.list_accounts(store)] == ["ada"]


@pytest.mark.slow
def test_the_commands_create_list_and_remove_accounts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def invoke(*arguments: str, typed: str = "") -> str:
        result = CliRunner().invoke(commands, arguments, input=typed, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "Account ada added with role reviewer.\n" in invoke("add", "ada", typed=f"{PASSWORD}\n{PASSWORD}\n")
    monkeypatch.setenv("REALFRAME_PASSWORD", OTHER)
    invoke("add", "bob", "--role", "admin")
    assert [line.split(",")[0] for line in invoke("list").splitlines()] == ["ada: reviewer", "bob: admin"]
    invoke("passwd", "ada")
    assert accounts.verify_password(store, "ada", OTHER)
    invoke("remove", "bob")
    assert store.find_keys(Account) == {"ada"}
    with pytest.raises(AccountError, match=r"bob: has no account \(there are: ada\)"):
        invoke("remove", "bob")
    assert CliRunner().invoke(commands, ["add", "eve", "--role", "boss"]).exit_code == 2
