"""The steps of a pipeline run: open it, run its stages, commit it, and register the model that it trained.

Airflow's DAGs and ``realframe run`` call the same steps, so a run gives the same commit either way.
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
from realframe.runs.pipeline_run import PipelineRun, make_run_id
from realframe.runs.stage_graph import run_stage, stages_for_dag
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

    ``prepare_data`` imports the inbox and the feedback labels that users agree on, and takes a snapshot of the originals; ``train_model``
    takes the newest dataset version and a snapshot of the regression set. ``started_by`` defaults to the login name.
    """
    root = settings.root
    run = PipelineRun(
        id=make_run_id(dag, name),
        dag=dag,
        base=git(root, "rev-parse", "HEAD"),
        uncommitted=worktree.uncommitted_edits(root),
        started_by=started_by or getpass.getuser(),
    )
    if run.uncommitted:
        log.warning("%s runs the last commit; these uncommitted edits are not part of it: %s", run.id, ", ".join(run.uncommitted))
    folder, newest = worktree.open_worktree(run, settings), run_versions.newest_dataset_tag(root)
    with open_store(settings) as store:
        if dag == "prepare_data":
            run_inputs.import_new_data(store, settings)
        run_inputs.write_inputs(folder, None if dag == "prepare_data" else newest, store, settings)
        if dag != "prepare_data":
            run_inputs.write_regression_set(folder, store, settings)
    worktree.write_params(folder, recipe, overrides or {})
    if newest:
        worktree.keep_previous_split(folder, newest)
    run.save(settings)
    return run


def commit_run(run: PipelineRun, settings: Settings) -> str | None:
    """Commit, tag and push the outputs of the run; return the tag of the new dataset version, or None if the dataset is not new."""
    from realframe.data.manifest import SPLITS_SCHEMA, dataset_version, read

    folder = run.folder(settings)
    digest = dataset_version(read(folder / artifacts.SPLITS, SPLITS_SCHEMA))
    commit = run_versions.commit_run_files(folder, f"{run.dag}: dataset {digest}")
    tag = run_versions.tag_dataset(folder, digest, settings) if run.dag == "prepare_data" else None
    run_versions.push_run(folder, [run.branch, *([tag] if tag else [])], settings)
    with open_store(settings) as store:
        sync_run(folder, store, commit=commit, branch=run.branch, tag=tag)
    return tag


def register_run(run: PipelineRun, settings: Settings) -> ModelVersion:
    """Register the model of a committed ``train_model`` run as the challenger, index it, and store its report; return its version.

    A model with the same file as a registered version is that version, whatever was decided on it.
    """
    folder = run.folder(settings)
    number = model_registry.register_folder(folder, commit=git(folder, "rev-parse", "HEAD"), trainer=run.started_by)
    version = model_registry.get_version(number)
    with open_store(settings) as store:
        sync_models(store, [version])
    run_versions.save_pages(folder, number, settings)
    return version


@dataclass(frozen=True)
class RunResult:
    """The result of a run; ``str()`` gives one line.

    Attributes:
        dag: the DAG whose stages ran.
        branch: the branch of its commit.
        summary: the dataset version or model version, in words.
        version: number of the model version; None if no model was trained.
    """

    dag: str
    branch: str
    summary: str
    version: int | None

    def __str__(self) -> str:
        return f"{self.dag}: {self.summary} (branch {self.branch})"


def run_all(dag: str, settings: Settings, *, recipe: str | None = None, overrides: Mapping[str, object] | None = None) -> RunResult:
    """Run all stages of ``dag`` from this process, as ``realframe run`` does. Raises RunError, DatasetError, ParamsError."""
    order = [stage.name for stage in stages_for_dag(settings.root / "dvc.yaml", dag)]
    if not order:
        raise RunError(dag, "dvc.yaml has no stage of that DAG", "Choose prepare_data or train_model.")
    run = open_run(dag, settings, recipe=recipe, overrides=overrides)
    for stage in order:
        run_stage(run, stage, settings)
    tag = commit_run(run, settings)
    version = register_run(run, settings) if dag == "train_model" else None
    worktree.close_worktree(run, settings)
    if version:
        aliases = ", ".join(version.aliases) or "already decided on"
        return RunResult(dag, run.branch, f"version {version.version} ({aliases})", version.version)
    return RunResult(dag, run.branch, tag or "the dataset is the same as the newest version", None)
