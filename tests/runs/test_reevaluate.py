"""A version that cannot be evaluated again is refused before anything runs."""

import subprocess
from pathlib import Path

import pytest

from realframe.errors import RunError
from realframe.registry.model_version import ModelVersion
from realframe.runs.reevaluate import reevaluate
from realframe.settings import Settings


def version_at(commit: str) -> ModelVersion:
    texts = dict.fromkeys(("run_id", "mlflow_run_id", "created", "sha256", "dataset", "weights", "decision", "trainer", "shortcuts"), "")
    texts |= {"commit": commit, "recipe": "scratch", "test_split": "", "evidence_digest": "", "answer_digest": "", "rendered_kinds": ""}
    return ModelVersion(version=3, aliases=(), threshold=0.5, figures={}, baseline={}, cross_source={}, below_baseline=False, **texts)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A checkout whose commit has a training stage, but not the evaluation stages."""
    root = tmp_path / "checkout"
    root.mkdir()
    stages = "stages:\n  train: {cmd: x, outs: [m], meta: {dag: train_model}}\n"
    stages += "  evaluate: {cmd: y, deps: [m], outs: [r], meta: {dag: train_model}}\n"
    (root / "dvc.yaml").write_text(stages)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").touch()
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "old"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return Settings(root=root, home=tmp_path / "state")


def test_a_version_without_evaluation_stages_is_refused_with_a_hint(settings: Settings) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=settings.root, capture_output=True, text=True, check=True).stdout.strip()
    with pytest.raises(RunError, match=r"version 3: its commit has no stage hold_out_generators, .*train_model -S recipe=scratch"):
        reevaluate(version_at(head), settings, {}, "me")
    assert not (settings.state_dir / "runs").exists()


def test_a_version_of_another_repository_is_refused_with_a_hint(settings: Settings) -> None:
    with pytest.raises(RunError, match=r"its commit cccccccccc is not in this repository\. Fetch"):
        reevaluate(version_at("c" * 40), settings, {}, "me")
