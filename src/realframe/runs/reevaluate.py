"""A registered version evaluated anew: at its own commit, on its own data; the model stays as it is, its evidence is measured again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realframe import artifacts
from realframe.errors import RunError
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.runs import run_versions, worktree
from realframe.runs.git_dvc import dvc, git
from realframe.runs.pipeline_run import PipelineRun, run_name
from realframe.runs.run_lifecycle import commit_run
from realframe.runs.stage_graph import run_stage, stages_of
from realframe.settings import Settings
from realframe.store.index_sync import sync_models
from realframe.store.repository import open_store

_NEEDED = ("hold_out_generators", "measure_robustness")


def reevaluate(version: ModelVersion, settings: Settings, overrides: Mapping[str, object], started_by: str) -> dict[str, Any]:
    """Run the stages that follow the training of a version, commit them, and put the new evidence on the version.

    They run in a worktree of the version's own commit, with its code, data and parameters, and the regression set as it is today. What has
    not changed since is not run again, the training never.

    Args:
        version: of the registry.
        settings: of this checkout.
        overrides: dotted keys of ``evaluate`` that beat the version's parameters.
        started_by: whose run it is.

    Returns:
        The content of the new ``reports/metrics.json``.

    Raises:
        RunError: the version's commit is not in this repository or is older than these stages, or a stage failed.
        RegistryError: the model in the worktree is not the version's.
    """
    base = _commit_of(version, settings.root)
    _refuse_older(version, base, settings.root)
    run = PipelineRun(id=run_name(f"evaluate-v{version.version}"), dag="evaluate", base=base, started_by=started_by)
    folder = worktree.open_worktree(run, settings)
    stages = ["resolve_params", *_after_training(folder)]
    dvc(folder, "pull", "--quiet", f"{artifacts.RAW}.dvc")
    worktree.snapshot_regression(folder, settings)
    worktree.write_params(folder, None, overrides)
    run.save(settings)
    for stage in stages:
        run_stage(run, stage, settings)
    dvc(folder, "pull", "--quiet", "split_dataset", "train", *stages)  # a stage that is skipped leaves its outputs in the cache
    _publish(run, version, settings)
    metrics: dict[str, Any] = json.loads((folder / artifacts.METRICS).read_text())
    worktree.close_worktree(run, settings)
    return metrics


def _publish(run: PipelineRun, version: ModelVersion, settings: Settings) -> None:
    folder = run.folder(settings)
    commit_run(run, settings)
    model_registry.refresh_evidence(version.version, folder)
    with open_store(settings) as store:
        sync_models(store, [model_registry.get(version.version)])
    run_versions.keep(folder, version.version, settings)


def _commit_of(version: ModelVersion, root: Path) -> str:
    try:
        return git(root, "rev-parse", "--verify", "--quiet", f"{version.commit}^{{commit}}")
    except RunError as error:
        reason = f"its commit {version.commit[:10]} is not in this repository"
        raise RunError(f"version {version.version}", reason, "Fetch the branches runs/* from where it was trained.") from error


def _refuse_older(version: ModelVersion, commit: str, root: Path) -> None:
    known = worktree.yaml_at(root, commit, Path("dvc.yaml"))["stages"]
    if missing := [name for name in _NEEDED if name not in known]:
        reason = f"was trained by a realframe that had no stage {missing[0]}, and it is evaluated by the code of its own commit"
        raise RunError(f"version {version.version}", reason, f"Train it anew: `realframe run train_model -S recipe={version.recipe}`.")


def _after_training(folder: Path) -> list[str]:
    """Return the names of the stages that read, at any remove, what the training wrote, in order."""
    after: list[str] = []
    for stage in stages_of(folder / "dvc.yaml", "train_model"):
        if {"train", *after} & set(stage.after):
            after.append(stage.name)
    return after
