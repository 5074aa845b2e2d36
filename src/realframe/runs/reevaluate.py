"""Evaluate a registered version again, at its own commit and on its own data: the model stays, its evidence is replaced."""

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
from realframe.runs.pipeline_run import PipelineRun, hold_run, make_run_id
from realframe.runs.run_inventory import remove_old_failed_runs
from realframe.runs.run_lifecycle import close_run, commit_run, write_regression_set
from realframe.runs.stage_graph import run_stage, stages_for_dag
from realframe.settings import Settings
from realframe.store.index_sync import sync_models
from realframe.store.repository import open_store

_REQUIRED_STAGES = ("hold_out_generators", "measure_robustness", "digest_code")


def reevaluate(version: ModelVersion, settings: Settings, overrides: Mapping[str, object], started_by: str) -> dict[str, Any]:
    """Run the stages after the training of a version, commit their outputs, and store the new evidence with the version.

    The stages run in a worktree of the version's own commit, with its code, data and parameters and the current regression set. Unchanged
    stages are not run again; the training never is.

    Args:
        version: of the registry.
        settings: of this checkout.
        overrides: dotted keys of ``evaluate`` that override the version's parameters.
        started_by: name of the user.

    Returns:
        The content of the new ``reports/metrics.json``.

    Raises:
        RunError: the version's commit is not in this repository or lacks these stages, or a stage failed.
        RegistryError: the model in the worktree is not the registered one.
    """
    base = _find_commit(version, settings.root)
    _require_evaluation_stages(version, base, settings.root)
    remove_old_failed_runs(settings)
    run_id = make_run_id(f"evaluate-v{version.version}")
    run = PipelineRun(id=run_id, dag="evaluate", base=base, started_by=started_by, recipe=version.recipe)
    run.save(settings)
    with hold_run(run, settings):
        metrics = _evaluate_in_worktree(run, version, settings, overrides)
        close_run(run, settings)
    return metrics


def _evaluate_in_worktree(run: PipelineRun, version: ModelVersion, settings: Settings, overrides: Mapping[str, object]) -> dict[str, Any]:
    """Run the stages, store the evidence, and return the metrics."""
    folder = worktree.open_worktree(run, settings)
    stages = ["resolve_params", *_stages_after_training(folder)]
    dvc(folder, "pull", f"{artifacts.RAW_MEDIA}.dvc")
    with open_store(settings) as store:
        write_regression_set(folder, store, settings)
    worktree.write_params(folder, None, overrides)
    for stage in stages:
        run_stage(run, stage, settings)
    dvc(folder, "pull", "split_dataset", "train", *stages)  # a skipped stage does not check out its outputs
    _publish_evidence(run, version, settings)
    metrics: dict[str, Any] = json.loads((folder / artifacts.METRICS).read_text())
    return metrics


def _publish_evidence(run: PipelineRun, version: ModelVersion, settings: Settings) -> None:
    folder = run.folder(settings)
    commit_run(run, settings)
    model_registry.refresh_evidence(version.version, folder)
    with open_store(settings) as store:
        sync_models(store, [model_registry.get_version(version.version)])
    run_versions.save_pages(folder, version.version, settings)


def _find_commit(version: ModelVersion, root: Path) -> str:
    try:
        return git(root, "rev-parse", "--verify", "--quiet", f"{version.commit}^{{commit}}")
    except RunError as error:
        reason = f"its commit {version.commit[:10]} is not in this repository"
        raise RunError(f"version {version.version}", reason, "Fetch the branches runs/* from the repository that trained it.") from error


def _require_evaluation_stages(version: ModelVersion, commit: str, root: Path) -> None:
    stages = worktree.read_yaml_at(root, commit, Path("dvc.yaml"))["stages"]
    if missing := [name for name in _REQUIRED_STAGES if name not in stages]:
        reason = f"its commit has no stage {missing[0]}, and a version is evaluated by the code of its own commit"
        raise RunError(f"version {version.version}", reason, f"Train it again: `realframe run train_model -S recipe={version.recipe}`.")


def _stages_after_training(folder: Path) -> list[str]:
    """Return the names of the stages that depend on the training, directly or indirectly, in order."""
    names: list[str] = []
    for stage in stages_for_dag(folder / "dvc.yaml", "train_model"):
        if {"train", *names} & set(stage.upstream):
            names.append(stage.name)
    return names
