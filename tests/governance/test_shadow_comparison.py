"""Reviewers see the shadow comparison in the summary, on the command line and on the web page."""

import subprocess
import sys
from itertools import count

import pytest
from fastapi.testclient import TestClient

from realframe.governance import review_summary
from realframe.governance.review_summary import summary_markdown
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction
from realframe.web.app import create_app
from tests import run_folder
from tests.governance import cli_decisions

_times = count()


def predicted(version: int, file: int, verdict: str) -> Prediction:
    sha256 = run_folder.media_id(file)
    fields = {
        "model": version,
        "verdict": verdict,
        "probability": 0.5,
        "score": 0.5,
        "features": "",
        "created": f"2026-01-01T00:00:{next(_times):02}",
    }
    return Prediction.model_validate({"prediction_id": f"{version}-{sha256}", "sha256": sha256, "file": "a.jpg", "kind": "image"} | fields)


def test_files_that_both_scored_are_compared(store: Store) -> None:
    words = ["real", "uncertain", "ai-generated", "real", "real"]
    store.upsert([predicted(3, file, word) for file, word in enumerate(words)])
    store.upsert([predicted(1, file, word) for file, word in enumerate(["real", "real", "ai-generated", "uncertain"])])
    store.upsert([predicted(2, 4, "real"), predicted(1, 9, "real")])  # another version's, and a file that the challenger has not seen
    comparison = review_summary.compare_shadow(store, challenger=3, champion=1)
    assert (comparison.scored, comparison.agreed) == (4, 2)
    assert (
        str(comparison)
        == "Shadow scoring: version 3 scored 4 of the files that users submitted; its verdict equals that of version 1 for 2 of them."
    )
    assert str(review_summary.compare_shadow(store, 3, 7)) == "Shadow scoring: version 3 scored none of the files that users submitted."


@pytest.mark.usefixtures("three_versions")
def test_a_reviewer_sees_the_comparison(store: Store, settings: Settings) -> None:
    assert review_summary.build_review_summary(3, store).shadow is None  # there is no champion to compare it with
    cli_decisions.approve(1, "Rita", "good")
    store.upsert([predicted(3, 1, "real"), predicted(1, 1, "real")])
    sentence = str(review_summary.compare_shadow(store, 3, 1))
    assert "scored 1 of" in sentence
    summary = review_summary.build_review_summary(3, store)
    assert sentence in summary_markdown(summary)
    done = subprocess.run([sys.executable, "-m", "realframe", "registry", "show", "3"], capture_output=True, text=True, check=True)
    assert sentence in " ".join(done.stdout.split())
    accounts.add_account(store, "rita", "reviewer", "correct horse battery")
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        client.post("/sign-in", data={"name": "rita", "password": "correct horse battery", "next": "/"})
        assert sentence in client.get("/versions/3").text
