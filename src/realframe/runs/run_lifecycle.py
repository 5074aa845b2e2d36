"""The steps of a pipeline run: open it, write its inputs, run its stages, commit it, and register the model that it trained.

The inputs are the originals or a dataset version, the takedowns, the feedback and the regression set. Airflow's DAGs and
``realframe run`` call the same steps, so a run gives the same commit either way.
"""

import getpass
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from realframe import artifacts
from realframe.data import takedown_list
from realframe.data.ingest import ingest
from realframe.errors import RunError
from realframe.feedback import accepted_items
from realframe.logs import copy_output
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.runs import data_remote, run_versions, worktree
from realframe.runs.git_dvc import git
from realframe.runs.pipeline_run import PipelineRun, hold_run, make_run_id
from realframe.runs.run_inventory import remove_old_failed_runs, remove_worktree
from realframe.runs.stage_graph import run_stage, stages_for_dag
from realframe.settings import Settings
from realframe.store import lineage, takedown
from realframe.store.index_sync import sync_models, sync_run
from realframe.store.repository import Store, open_store

log = logging.getLogger(__name__)
_SETTLED_S = 30.0  # a file that changed more recently may be half copied; the next run imports it


def open_run(
    dag: str,
    settings: Settings,
    *,
    name: str = "",
    recipe: str | None = None,
    overrides: Mapping[str, object] | None = None,
    started_by: str = "",
) -> PipelineRun:
    """Open the worktree of a run of ``dag`` with its data and parameters; its stages run in tasks. Raises RunError, DatasetError.

    ``prepare_data`` imports the inbox and the feedback labels that users agree on, and takes a snapshot of the originals; ``train_model``
    takes the newest dataset version and a snapshot of the regression set. ``started_by`` defaults to the login name.
    """
    run = _create_run(dag, settings, make_run_id(dag, name), started_by, in_tasks=True)
    with hold_run(run, settings):
        return _prepare_worktree(run, settings, recipe, overrides or {})


def has_media(settings: Settings) -> bool:
    """Return whether there is anything to make a dataset of: originals, files in the inbox, or a dataset version."""
    folders = (settings.raw_dir, settings.inbox_dir)
    return any(path.is_file() for folder in folders if folder.is_dir() for path in folder.rglob("*")) or bool(
        run_versions.find_newest_dataset_tag(settings.root)
    )


def has_new_media(run: PipelineRun, settings: Settings) -> bool:
    """Return whether an open ``prepare_data`` run has other originals or takedowns than the newest dataset version."""
    newest = run_versions.find_newest_dataset_tag(settings.root)
    if newest is None:
        return True
    paths = sorted(map(str, (artifacts.RAW_MEDIA.with_suffix(".dvc"), artifacts.TAKEDOWNS)))
    committed = [line.split()[2] for line in git(settings.root, "ls-tree", newest, "--", *paths).splitlines()]
    return git(run.folder(settings), "hash-object", "--", *paths).split() != committed


def commit_run(run: PipelineRun, settings: Settings) -> str | None:
    """Commit, tag and push the outputs of the run; return the tag of the new dataset version, or None if the dataset is not new."""
    from realframe.data.manifest import SPLITS_SCHEMA, compute_dataset_digest, read

    folder = run.folder(settings)
    with hold_run(run, settings):
        digest = compute_dataset_digest(read(folder / artifacts.SPLITS, SPLITS_SCHEMA))
        commit = run_versions.commit_run_files(folder, f"{run.dag}: dataset {digest}")
        tag = run_versions.tag_dataset(folder, digest, settings) if run.dag == "prepare_data" else None
        run_versions.push_run(folder, [run.branch, *([tag] if tag else [])], settings)
        with open_store(settings) as store:
            sync_run(folder, store, commit=commit, branch=run.branch, tag=tag)
    return tag


def register_run(run: PipelineRun, settings: Settings) -> ModelVersion:
    """Register the model of a committed ``train_model`` run as the challenger, index it, and store its report; return its version.

    The same file is registered once: its existing version is returned, also if it was rejected.
    """
    folder = run.folder(settings)
    with hold_run(run, settings):
        number = model_registry.register_folder(folder, commit=git(folder, "rev-parse", "HEAD"), trainer=run.started_by)
        version = model_registry.get_version(number)
        with open_store(settings) as store:
            sync_models(store, [version])
        run_versions.save_pages(folder, number, settings)
    return version


def close_run(run: PipelineRun, settings: Settings) -> None:
    """Mark a run as finished and remove its worktree; its commit, its data in DVC's cache and its MLflow run stay."""
    with FileLock(settings.state_dir / "worktrees.lock"):
        remove_worktree(run.folder(settings), settings.root)
    run.update(settings, outcome="finished")


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
    """Run all stages of ``dag`` from this process, as ``realframe run`` does; all output goes to the log file of the run too.

    Raises RunError, DatasetError, ParamsError.
    """
    settings.require_checkout()
    order = [stage.name for stage in stages_for_dag(settings.root / "dvc.yaml", dag)]
    if not order:
        raise RunError(dag, "dvc.yaml has no stage of that DAG", "Choose prepare_data or train_model.")
    run = _create_run(dag, settings, make_run_id(dag), "", in_tasks=False)
    with copy_output(run.log_file(settings)), hold_run(run, settings):
        log.info("%s: its output is also in %s", run.id, run.log_file(settings))
        _prepare_worktree(run, settings, recipe, overrides or {})
        for stage in order:
            run_stage(run, stage, settings)
        tag = commit_run(run, settings)
        version = register_run(run, settings) if dag == "train_model" else None
        close_run(run, settings)
    if version:
        aliases = ", ".join(version.aliases) or "already decided on"
        return RunResult(dag, run.branch, f"version {version.version} ({aliases})", version.version)
    return RunResult(dag, run.branch, tag or "the dataset is the same as the newest version", None)


def _create_run(dag: str, settings: Settings, run_id: str, started_by: str, *, in_tasks: bool) -> PipelineRun:
    """Store a new run, so that it is listed from its first moment, and remove old runs that failed."""
    root = settings.root
    settings.require_checkout()
    data_remote.check_data_remote(settings)  # the run pushes to it at its end, which may be hours later
    remove_old_failed_runs(settings)
    run = PipelineRun(
        id=run_id,
        dag=dag,
        base=git(root, "rev-parse", "HEAD"),
        uncommitted=worktree.list_uncommitted_files(root),
        started_by=started_by or getpass.getuser(),
        in_tasks=in_tasks,
    )
    if run.uncommitted:
        log.warning("%s runs the last commit; these uncommitted edits are not part of it: %s", run.id, ", ".join(run.uncommitted))
    run.save(settings)
    return run


def _prepare_worktree(run: PipelineRun, settings: Settings, recipe: str | None, overrides: Mapping[str, object]) -> PipelineRun:
    """Open the worktree and write its inputs and parameters; return the run with its recipe."""
    folder, newest = worktree.open_worktree(run, settings), run_versions.find_newest_dataset_tag(settings.root)
    with open_store(settings) as store:
        if run.dag == "prepare_data":
            import_new_data(store, settings)
        write_inputs(folder, None if run.dag == "prepare_data" else newest, store, settings)
        if run.dag != "prepare_data":
            write_regression_set(folder, store, settings)
    chosen = worktree.write_params(folder, recipe, overrides)
    if newest:
        worktree.keep_previous_split(folder, newest)
    return run.update(settings, recipe=chosen)


def import_new_data(store: Store, settings: Settings) -> None:
    """Import the inbox and the feedback labels that users agree on into ``data/raw``."""
    if settings.inbox_dir.is_dir() and any(settings.inbox_dir.iterdir()):
        summary = ingest(
            settings.inbox_dir,
            settings.raw_dir,
            cache_dir=settings.cache_dir,
            min_age_s=_SETTLED_S,
            workers=settings.workers,
            taken_down_ids=takedown.list_taken_down_ids(store),
        )
        log.info("inbox: %s", summary)
        for note in summary.notes:
            log.info("inbox: %s", note)
        for file, problem in (summary.rejected | summary.skipped).items():
            log.warning("inbox: %s %s", file, problem.reason)
    accepted_items.accept_agreed(store, settings)


def write_inputs(folder: Path, dataset: str | None, store: Store, settings: Settings) -> None:
    """Write the data of a dataset version to the worktree or, if ``dataset`` is None, the originals and the list of takedowns.

    Raises RunError if the version contains items that were taken down since, DatasetError if there are no originals.
    """
    if dataset:
        _require_no_takedowns(store, dataset, settings)
        worktree.checkout_dataset(folder, dataset)
        return
    worktree.snapshot_raw(folder, settings)
    takedown_list.write(folder / artifacts.TAKEDOWNS, takedown.list_taken_down_ids(store))


def write_regression_set(folder: Path, store: Store, settings: Settings) -> None:
    """Write the regression set to the worktree, with the items whose files are missing on this machine; they are logged too."""
    missing = [item for item in accepted_items.list_regression_items(store) if not (settings.regression_dir / item.path).exists()]
    if missing:
        message = "%s files of the regression set, such as %s, are not in %s; this model is not scored on them. Earlier runs contain them"
        log.warning(message, len(missing), missing[0].path, settings.regression_dir)
    reason = f"its file is not in {artifacts.REGRESSION_MEDIA} on the machine of this run"
    worktree.snapshot_regression(folder, settings, [(item.media_id, item.label, reason) for item in missing])


def _require_no_takedowns(store: Store, tag: str, settings: Settings) -> None:
    taken_down_ids = lineage.list_taken_down(store, run_versions.read_dataset_digest(settings.root, tag))
    if taken_down_ids:
        reason = f"holds {len(taken_down_ids)} media items that were taken down since it was made, such as {taken_down_ids[0][:12]}"
        raise RunError(tag, reason, "Make the next dataset version first: `realframe run prepare_data`.")
