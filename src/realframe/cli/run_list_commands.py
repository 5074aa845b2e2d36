"""The commands ``realframe runs``: list the pipeline runs of this checkout, and remove runs."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realframe.errors import RunError

if TYPE_CHECKING:
    from realframe.runs.run_inventory import RunEntry
    from realframe.settings import Settings

runs_app = typer.Typer(help="List the pipeline runs of this checkout, and remove runs.", no_args_is_help=True, rich_markup_mode="markdown")


@runs_app.command("list")
def list_runs(as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False) -> None:
    """List the runs, the newest first: state, size on disk, commit, and the model version that each registered.

    A failed or killed run keeps its folder, for a look at what went wrong. The oldest of them are removed when the next run starts
    (REALFRAME_KEEP_FAILED_RUNS). The size is what a removal frees: what a run shares with DVC's cache is not counted.

    Examples:

        realframe runs list

        realframe runs list --json
    """
    from rich.console import Console

    from realframe.presentation.formatting import format_size
    from realframe.presentation.terminal_table import make_table
    from realframe.runs import run_inventory
    from realframe.settings import get_settings

    settings = get_settings()
    entries = run_inventory.list_runs(settings)
    versions = _find_versions(entries)
    if as_json:
        typer.echo(json.dumps([_entry_as_json(entry, versions, settings) for entry in entries], indent=1))
        return
    rows = []
    for entry in entries:
        run, version = entry.run, None if versions is None else entry.find_version(versions)
        name = "unknown" if versions is None and _may_be_registered(entry) else str(version or "")
        size = format_size(entry.disk_bytes) if entry.disk_bytes else ""
        rows.append((run.id, f"{run.created.astimezone():%Y-%m-%d %H:%M}", run.recipe, entry.state, size, entry.commit[:10], name))
    heads = ("run", "started", "recipe", "state", "on disk", "commit", "version")
    Console().print(make_table(heads, rows) if rows else "No run yet. Start one: realframe run")


@runs_app.command()
def remove(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="names of runs, as `realframe runs list` shows them")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="all failed and killed runs")] = False,
    older_than: Annotated[
        float | None, typer.Option("--older-than", metavar="DAYS", min=0, help="all runs that started longer ago; with --failed: both")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask for confirmation")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="also remove the run of a registered model version, whose lineage is lost, or of a DAG that waits"),
    ] = False,
) -> None:
    """Remove runs: the worktree, the branch and the record of each. Data in DVC's cache, MLflow runs and dataset versions stay.

    A running run is refused; with `--force` it is removed if no process works on it, which is so for a DAG run between two tasks. The run
    of a registered model version is refused too, because its lineage, its report and `realframe evaluate` need the commit; `--failed` and
    `--older-than` leave it out.

    Examples:

        realframe runs remove train_model-20261127T101500123

        realframe runs remove --failed

        realframe runs remove --older-than 30 --yes
    """
    from realframe.presentation.formatting import format_size
    from realframe.runs import run_inventory
    from realframe.settings import get_settings

    if bool(runs) == (failed or older_than is not None):
        raise typer.BadParameter("name runs, or choose them with --failed, --older-than or both")
    settings = get_settings()
    entries = {entry.run.id: entry for entry in run_inventory.list_runs(settings)}
    chosen = [_get_entry(name, entries, force=force) for name in runs or ()]
    chosen = chosen or run_inventory.select_runs(entries.values(), failed=failed, older_than_days=older_than)
    chosen = chosen if force else _without_registered(chosen, is_named=bool(runs))
    if not chosen:
        typer.echo("No run to remove.")
        return
    for entry in chosen:
        typer.echo(f"{entry.run.id}  {entry.state}  {format_size(entry.disk_bytes)}")
    if not yes:
        typer.confirm(f"Remove {len(chosen)} run{'s' if len(chosen) > 1 else ''}?", abort=True)
    for entry in chosen:
        run_inventory.remove_run(entry.run, settings)
    freed = format_size(sum(entry.disk_bytes for entry in chosen))
    typer.echo(f"Removed {len(chosen)} run{'s' if len(chosen) > 1 else ''}, {freed}.")


def _get_entry(name: str, entries: "Mapping[str, RunEntry]", *, force: bool) -> "RunEntry":
    from realframe.runs.pipeline_run import STOP_HINT

    if name not in entries:
        raise RunError(name, "there is no such run", "List the runs: `realframe runs list`.")
    if entries[name].state == "running" and not force:
        raise RunError(name, "is running", f"{STOP_HINT} If its DAG run has ended without it, add --force.")
    return entries[name]


def _without_registered(chosen: "Sequence[RunEntry]", *, is_named: bool) -> "list[RunEntry]":
    """Return the runs that no model version needs. Raises RunError if the user named one that a version needs or may need."""
    versions, removable = _find_versions(chosen), []
    for entry in chosen:
        if versions is None and _may_be_registered(entry):
            reason = "may be the run of a registered model version: the registry cannot be read"
        elif version := entry.find_version(versions or {}):
            reason = f"is the run of model version {version}, whose lineage needs its commit"
        else:
            removable.append(entry)
            continue
        if is_named:
            raise RunError(entry.run.id, reason, "To remove it all the same, add --force.")
        typer.echo(f"{entry.run.id} stays: it {reason}", err=True)
    return removable


def _may_be_registered(entry: "RunEntry") -> bool:
    return bool(entry.commit) and entry.run.dag in ("train_model", "evaluate")


def _find_versions(entries: "Sequence[RunEntry]") -> dict[str, int] | None:
    """Return commit -> number of all model versions; None if the registry cannot be read."""
    if not any(map(_may_be_registered, entries)):
        return {}  # without the seconds that the import of MLflow takes
    from mlflow.exceptions import MlflowException

    from realframe.errors import RealframeError
    from realframe.registry import model_registry

    try:
        return {version.commit: version.version for version in model_registry.list_versions()}
    except (MlflowException, RealframeError) as error:
        typer.echo(f"The model registry cannot be read: {error}", err=True)
        return None


def _entry_as_json(entry: "RunEntry", versions: Mapping[str, int] | None, settings: "Settings") -> dict[str, Any]:
    run, folder = entry.run, entry.run.folder(settings)
    return {
        "run": run.id,
        "dag": run.dag,
        "started": run.created.isoformat(timespec="seconds"),
        "started_by": run.started_by,
        "recipe": run.recipe,
        "state": entry.state,
        "error": run.error,
        "disk_bytes": entry.disk_bytes,
        "folder": str(folder) if folder.exists() else None,
        "branch": run.branch,
        "commit": entry.commit or None,
        "version": None if versions is None else entry.find_version(versions),
    }
