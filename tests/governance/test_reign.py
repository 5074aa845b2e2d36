"""The line of champions, for any ledger."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realframe.governance import champion_history

ACTIONS = ("approve", "reject", "changes", "rollback", "timeout", "ungated", "removed")
SHA = "a" * 64


def entries(said: list[tuple[str, int]]) -> list[Any]:
    return [SimpleNamespace(sequence=n, action=action, version=version, model_sha256=SHA) for n, (action, version) in enumerate(said, 1)]


VERSIONS: list[Any] = [SimpleNamespace(version=number, sha256=SHA) for number in range(1, 6)]
LEDGERS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 5)), max_size=12).map(entries)


@given(chain=LEDGERS)
def test_the_last_entry_about_the_champion_says_who_it_is(chain: list[Any]) -> None:
    crowning = [entry for entry in chain if entry.action in champion_history.PROMOTING_ACTIONS]
    reigns = champion_history.champion_periods(chain)
    assert bool(reigns) == bool(crowning)
    if crowning:
        last = crowning[-1]
        assert reigns[-1].version == (None if last.action == "removed" else last.version)
        assert reigns[-1].entry is last


@given(chain=LEDGERS)
def test_former_champions_were_champions_each_once_and_not_the_present_one(chain: list[Any]) -> None:
    former = champion_history.former_champions(chain, VERSIONS)
    present = champion_history.champion_periods(chain)[-1].version if former else None
    assert len(former) == len(set(former))
    assert present not in former
    assert set(former) <= {entry.version for entry in chain if entry.action in champion_history.PROMOTING_ACTIONS}


@given(chain=LEDGERS)
def test_a_rollback_brings_back_the_reign_as_it_was(chain: list[Any]) -> None:
    former = champion_history.former_champions(chain, VERSIONS)
    if not former:
        return
    before = [made.gated for made in champion_history.champion_periods(chain) if made.version == former[-1]]
    after = champion_history.champion_periods([*chain, *entries([("rollback", former[-1])])])
    assert (after[-1].version, after[-1].gated) == (former[-1], before[-1])


@given(chain=LEDGERS)
def test_entries_about_another_file_of_that_number_bind_nothing(chain: list[Any]) -> None:
    replaced: list[Any] = [SimpleNamespace(version=number, sha256="b" * 64) for number in range(1, 6)]
    assert champion_history.former_champions(chain, replaced) == []
    assert champion_history.ungated(chain, replaced) is None


@given(chain=LEDGERS)
def test_only_an_approval_makes_a_gated_champion(chain: list[Any]) -> None:
    found = champion_history.ungated(chain, VERSIONS)
    crowning = [entry for entry in chain if entry.action in champion_history.PROMOTING_ACTIONS]
    if crowning and crowning[-1].action in ("ungated", "removed"):
        assert found is crowning[-1]
    if crowning and crowning[-1].action == "approve":
        assert found is None
