"""A version that abstains from a kind: the gate, an approval by an override, and a reviewer's decision that the kind is judged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from realframe.cli import app
from realframe.detection import approved_bundle
from realframe.governance import gate, ledger
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.worker.model_manager import ModelSlot
from tests import run_folder
from tests.state_fixtures import COMMIT, TRAINER


@pytest.fixture
def abstaining(tmp_path: Path, empty_registry: Path) -> int:
    """The version of a detector that gives no verdict on images."""
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_dataset(folder, 90), quality=0.9)
    run_folder.set_verdicts(folder, image="low-roc-auc", video="")
    run_folder.write_model(folder, bias=3.0)
    return model_registry.register_folder(folder, commit=COMMIT, trainer=TRAINER)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    Image.fromarray(pixels).resize((600, 600)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def _run(*command: str) -> Result:
    return CliRunner().invoke(app, list(command))


def _refusal(*options: str) -> str:
    result = _run("registry", "approve", "1", *options)
    assert result.exit_code != 0
    return str(result.exception)


def _detect(picture: Path) -> dict[str, Any]:
    result = _run("detect", "--json", str(picture))
    assert result.exit_code == 0, result.output
    (answer,) = json.loads(result.stdout)
    return dict(answer)


def test_the_gate_names_the_kind_and_the_reason(abstaining: int, store: Store) -> None:
    rule = next(rule for rule in gate.check_gate(abstaining, store).rules if rule.name == "competence")
    assert (rule.is_met, rule.observed) == (False, "image: This detector gives no verdict on images: a test decided so.")


def test_a_version_with_verdicts_on_each_kind_meets_the_rule(tmp_path: Path, empty_registry: Path, store: Store) -> None:
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_dataset(folder, 90), quality=0.9)
    run_folder.write_model(folder, bias=0.5)
    version = model_registry.register_folder(folder, commit=COMMIT, trainer=TRAINER)
    rule = next(rule for rule in gate.check_gate(version, store).rules if rule.name == "competence")
    assert (rule.is_met, rule.observed) == (True, "verdicts on images and videos")


def test_a_kind_is_judged_only_with_a_reason_and_only_where_the_version_abstains(abstaining: int, settings: Settings) -> None:
    assert "competence is not met" in _refusal()
    assert "needs a reason to judge a kind" in _refusal("--judge", "image")
    assert "gives verdicts on videos anyway" in _refusal("--judge", "video", "--override", "why not")
    assert "was trained without sounds" in _refusal("--judge", "sound", "--override", "why not")
    assert model_registry.find_champion() is None


@pytest.mark.slow
def test_from_the_approval_to_the_answer(abstaining: int, picture: Path, store: Store) -> None:
    """An override alone leaves the kind without verdicts; --judge gives them, each with a caution, and the worker loads it anew."""
    approved = _run("registry", "approve", "1", "--override", "nothing better is there")
    assert approved.exit_code == 0, approved.output
    before, slot = _detect(picture), ModelSlot()
    assert (before["verdict"], before["abstention"]["code"]) == ("uncertain", "low-roc-auc")
    slot.load(model_registry.get_version(1))
    abstaining_detector = slot.detector
    assert "is already the champion" in _refusal("--override", "nothing better is there")

    judged = _run("registry", "approve", "1", "--judge", "image", "--override", "each is checked by hand")
    assert judged.exit_code == 0, judged.output
    assert "images are judged by this decision, with a caution on each verdict. Reason: each is checked by hand" in judged.stdout
    entry = ledger.list_entries(store)[-1]
    assert entry.evidence["judged_kinds"] == {"image": "each is checked by hand"}
    assert "competence" in (entry.overrides or ())
    assert ledger.verify_chain(store) == 2
    after = _detect(picture)
    assert (after["verdict"], after["abstention"], after["probability"]) == ("ai-generated", None, before["probability"])
    (caution,) = [caution for caution in after["cautions"] if caution["code"] == "competence.overridden"]
    assert "each is checked by hand" in caution["message"] and "a test decided so" in caution["message"]

    slot.load(model_registry.get_version(1))
    assert slot.detector is not None and slot.detector is not abstaining_detector
    assert slot.detector.detect(picture).detection.verdict == "ai-generated"
    same = slot.detector
    slot.load(model_registry.get_version(1))
    assert slot.detector is same
    assert approved_bundle.find_answer_key(model_registry.get_version(1)) == same.loaded.answer_key


def test_a_version_of_rendered_media_is_marked(tmp_path: Path, empty_registry: Path) -> None:
    folder = tmp_path / "run"
    media = run_folder.write_dataset(folder, 90)
    videos = media["kind"] == "video"
    run_folder.write_training(folder, media.assign(source=media["source"].where(~videos, "demo-phone 1")))
    run_folder.write_model(folder, bias=0.5)
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT, trainer=TRAINER))
    assert version.rendered_kinds == "video"
