"""The champion history, for any ledger."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realframe.governance import champion_history

ACTIONS = ("approve", "reject", "request_changes", "rollback", "timeout", "alias_set", "alias_removed")
SHA = "a" * 64


def entries(actions: list[tuple[str, int]]) -> list[Any]:
    return [SimpleNamespace(sequence=n, action=action, version=version, model_sha256=SHA) for n, (action, version) in enumerate(actions, 1)]


VERSIONS: list[Any] = [SimpleNamespace(version=number, sha256=SHA) for number in range(1, 6)]
LEDGERS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 5)), max_size=12).map(entries)


@given(chain=LEDGERS)
def test_the_last_promoting_entry_determines_the_champion(chain: list[Any]) -> None:
    promoting = [entry for entry in chain if entry.action in champion_history.PROMOTING_ACTIONS]
    periods = champion_history.build_champion_periods(chain)
    assert bool(periods) == bool(promoting)
    if promoting:
        last = promoting[-1]
        assert periods[-1].version == (None if last.action == "alias_removed" else last.version)
        assert periods[-1].entry is last


@given(chain=LEDGERS)
def test_former_champions_were_champions_each_once_and_not_the_present_one(chain: list[Any]) -> None:
    former = champion_history.list_former_champions(chain, VERSIONS)
    present = champion_history.build_champion_periods(chain)[-1].version if former else None
    assert len(former) == len(set(former))
    assert present not in former
    assert set(former) <= {entry.version for entry in chain if entry.action in champion_history.PROMOTING_ACTIONS}


@given(chain=LEDGERS)
def test_a_rollback_restores_the_earlier_period(chain: list[Any]) -> None:
    former = champion_history.list_former_champions(chain, VERSIONS)
    if not former:
        return
    before = [period.is_approved for period in champion_history.build_champion_periods(chain) if period.version == former[-1]]
    after = champion_history.build_champion_periods([*chain, *entries([("rollback", former[-1])])])
    assert (after[-1].version, after[-1].is_approved) == (former[-1], before[-1])


@given(chain=LEDGERS)
def test_entries_about_another_file_have_no_effect(chain: list[Any]) -> None:
    replaced: list[Any] = [SimpleNamespace(version=number, sha256="b" * 64) for number in range(1, 6)]
    assert champion_history.list_former_champions(chain, replaced) == []
    assert champion_history.find_unapproved_promotion(chain, replaced) is None


@given(chain=LEDGERS)
def test_only_an_approval_makes_a_gated_champion(chain: list[Any]) -> None:
    entry = champion_history.find_unapproved_promotion(chain, VERSIONS)
    promoting = [entry for entry in chain if entry.action in champion_history.PROMOTING_ACTIONS]
    if promoting and promoting[-1].action in ("alias_set", "alias_removed"):
        assert entry is promoting[-1]
    if promoting and promoting[-1].action == "approve":
        assert entry is None
