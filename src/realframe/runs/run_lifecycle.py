"""A run from its first task to its last: open, stages, commit, and for a trained model: register.

Airflow's DAGs and ``realframe run`` both call these four steps, so that a run is the same commit by either door.
"""

import getpass
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from realframe import artifacts
from realframe.errors import RunError
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.runs import run_inputs, run_versions, worktree
from realframe.runs.git_dvc import git
from realframe.runs.pipeline_run import PipelineRun, run_name
from realframe.runs.stage_graph import run_stage, stages_of
from realframe.settings import Settings
from realframe.store.index_sync import sync_models, sync_run
from realframe.store.repository import open_store

log = logging.getLogger(__name__)


def open_run(
    dag: str,
    settings: Settings,
    *,
    name: str = "",
    recipe: str | None = None,
    overrides: Mapping[str, object] | None = None,
    started_by: str = "",
) -> PipelineRun:
    """Open the worktree of a run of ``dag`` with its data and parameters. Raises RunError, DatasetError.

    ``prepare_data`` takes in the inbox, the feedback that people agree on and a snapshot of the originals; ``train_model`` takes the
    newest dataset version and a snapshot of the regression set. ``started_by`` is the login name where it is left empty.
    """
    root = settings.root
    run = PipelineRun(
        id=run_name(dag, name),
        dag=dag,
        base=git(root, "rev-parse", "HEAD"),
        uncommitted=worktree.uncommitted_edits(root),
        started_by=started_by or getpass.getuser(),
    )
    if run.uncommitted:
        log.warning("%s runs the last commit; these uncommitted edits are not part of it: %s", run.id, ", ".join(run.uncommitted))
    folder, newest = worktree.open_worktree(run, settings), run_versions.newest_dataset(root)
    with open_store(settings) as store:
        if dag == "prepare_data":
            run_inputs.accept_arrivals(store, settings)
        run_inputs.write_inputs(folder, None if dag == "prepare_data" else newest, store, settings)
        if dag != "prepare_data":
            run_inputs.write_regression_set(folder, store, settings)
    worktree.write_params(folder, recipe, overrides or {})
    if newest:
        worktree.keep_deal(folder, newest)
    run.save(settings)
    return run


def commit_run(run: PipelineRun, settings: Settings) -> str | None:
    """Commit, tag and push what the run made; return the new dataset version's tag, or None where the dataset is not new."""
    from realframe.data.manifest import SPLITS, dataset_version, read

    folder = run.folder(settings)
    digest = dataset_version(read(folder / artifacts.SPLITS, SPLITS))
    commit = run_versions.commit(folder, f"{run.dag}: dataset {digest}")
    tag = run_versions.tag_dataset(folder, digest, settings) if run.dag == "prepare_data" else None
    run_versions.push(folder, [run.branch, *([tag] if tag else [])], settings)
    with open_store(settings) as store:
        sync_run(folder, store, commit=commit, branch=run.branch, tag=tag)
    return tag


def register_run(run: PipelineRun, settings: Settings) -> ModelVersion:
    """Register the model of a committed ``train_model`` run as the challenger, index it, and keep its report; return its version.

    The same model again is the version that it was, whatever has been decided on it.
    """
    folder = run.folder(settings)
    number = model_registry.register_folder(folder, commit=git(folder, "rev-parse", "HEAD"), trainer=run.started_by)
    version = model_registry.get(number)
    with open_store(settings) as store:
        sync_models(store, [version])
    run_versions.keep(folder, number, settings)
    return version


@dataclass(frozen=True)
class Made:
    """What came of a run; as text, one sentence.

    Attributes:
        dag: whose stages ran.
        branch: that carries its commit.
        what: in words: a dataset version, a model version.
        version: of the model, where one was trained.
    """

    dag: str
    branch: str
    what: str
    version: int | None

    def __str__(self) -> str:
        return f"{self.dag}: {self.what} (branch {self.branch})"


def run_all(dag: str, settings: Settings, *, recipe: str | None = None, overrides: Mapping[str, object] | None = None) -> Made:
    """Run all stages of ``dag`` from this process, as ``realframe run`` does. Raises RunError, DatasetError, ParamsError."""
    order = [stage.name for stage in stages_of(settings.root / "dvc.yaml", dag)]
    if not order:
        raise RunError(dag, "dvc.yaml has no stage of that name of a DAG", "Choose prepare_data or train_model.")
    run = open_run(dag, settings, recipe=recipe, overrides=overrides)
    for stage in order:
        run_stage(run, stage, settings)
    tag = commit_run(run, settings)
    version = register_run(run, settings) if dag == "train_model" else None
    worktree.close_worktree(run, settings)
    if version:
        return Made(dag, run.branch, f"version {version.version} ({', '.join(version.aliases) or 'decided before'})", version.version)
    return Made(dag, run.branch, tag or "nothing new: the dataset is the same as the newest version", None)
