"""The question of ``review_model``: its text, and what each answer of a reviewer records. The live test of the DAG is in tests/system."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from realframe.errors import RegistryError
from realframe.governance import decisions, gate, gate_results, ledger, review_question
from realframe.governance.decisions import Reviewer
from realframe.registry import model_registry
from realframe.settings import Settings, get_settings
from realframe.store.repository import Store
from tests.governance.cli_decisions import OVERRIDE_REASON

pytestmark = pytest.mark.usefixtures("three_versions")


def _answer(option: str, name: str = "demo", **fields: Any) -> dict[str, Any]:
    return {"chosen_options": [option], "responded_by_user": {"id": name, "name": name}, "params_input": fields}


def test_each_answer_is_recorded_in_the_ledger(store: Store) -> None:
    review_question.record_answer(1, _answer("Approve", comment="good", override=OVERRIDE_REASON))
    review_question.record_answer(2, _answer("Reject", comment="not this one"))
    review_question.record_answer(3, _answer("Ask for changes", comment="more clips"))
    decisions.record_timeout(3)
    chain = ledger.list_entries(store)
    assert [(entry.action, entry.reviewer, entry.channel, entry.authentication) for entry in chain] == [
        ("approve", "demo", "airflow", "airflow"),
        ("reject", "demo", "airflow", "airflow"),
        ("request_changes", "demo", "airflow", "airflow"),
        ("timeout", "", "airflow", "none"),
    ]
    assert chain[0].override_reason == OVERRIDE_REASON and chain[0].overrides
    assert model_registry.find_by_alias("champion") == model_registry.get_version(1)
    assert model_registry.find_by_alias("challenger") is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_answer("Approve", comment="good"), "does not meet"),
        (_answer("Approve", override="  "), "does not meet"),
        (_answer("Ask for changes"), "asking for changes needs a comment"),
        (_answer("Reject", name=""), "needs the name of a reviewer"),
        (_answer("Approve", override=["why"]), "override: input should be a valid string"),
        (_answer("Reject", comment=7), "comment: input should be a valid string"),
        (_answer("Reject", comment="x" * (review_question.MAX_LENGTH + 1)), "comment: string should have at most"),
        (_answer("Reject", reason="unknown field"), "reason: extra inputs are not permitted"),
        ({**_answer("Approve"), "chosen_options": []}, "chooses none of the options"),
        ({**_answer("Approve"), "chosen_options": ["Approve", "Reject"]}, "chooses none of the options, or several"),
    ],
)
def test_an_answer_that_cannot_be_recorded_says_why_and_changes_nothing(answer: dict[str, Any], reason: str, store: Store) -> None:
    gate.check_gate(3, store)
    with pytest.raises(RegistryError, match=reason):
        review_question.record_answer(3, answer)
    assert not ledger.list_entries(store)
    assert model_registry.find_by_alias("challenger") == model_registry.get_version(3)


def test_the_question_links_to_the_page_and_the_report(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    result = gate.check_gate(3, store)
    question = review_question.build_question(3)
    assert "[Review page](http://127.0.0.1:8000/versions/3)" in question
    assert "[Report with the pictures](http://127.0.0.1:8000/versions/3/report)" in question
    assert result.headline in question and all(f"| {rule.name} |" in question for rule in result.rules)
    assert gate_results.find_gate_result(3, store) == result
    monkeypatch.setenv("REALFRAME_PUBLIC_URL", "https://realframe.example.org")
    get_settings.cache_clear()
    assert "(https://realframe.example.org/versions/3/report)" in review_question.build_question(3)


def test_the_question_is_asked_again_with_the_reason_as_plain_text() -> None:
    text = review_question.add_refusal("QUESTION", "version 3: does not meet 1 rule: [x](https://evil.example) <b>")
    assert text.endswith("QUESTION")
    assert "**Your answer was not recorded:** version 3: does not meet 1 rule" in text
    assert "](https://evil.example)" not in text and "\\<b" in text


def test_a_decision_on_the_page_ends_the_question(store: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)  # the ledger rounds to milliseconds
    assert review_question.find_decision_since(3, before) is None
    decisions.reject(3, Reviewer("ada", "web", "password"), "no")
    decision = review_question.find_decision_since(3, before)
    assert decision and review_question.describe_decision(decision) == "reject: version 3 by ada"
    decisions.record_timeout(3)  # no decision of a person
    assert review_question.find_decision_since(3, before) == decision
    assert review_question.find_decision_since(3, datetime.now(UTC) + timedelta(hours=1)) is None
