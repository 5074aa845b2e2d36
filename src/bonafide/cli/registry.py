"""The commands ``bonafide registry ...``: the reviewer's side of the model registry, with the same ledger as Airflow's approval."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bonafide.metadata.schema import Entry

app = typer.Typer(help="Look at model versions and decide on them.", no_args_is_help=True, rich_markup_mode="markdown")

_Which = Annotated[str, typer.Argument(help="a number, `challenger` or `champion`", show_default=False)]
_Reviewer = Annotated[str, typer.Option(envvar="BONAFIDE_REVIEWER", help="who decides; default: your login name", show_default=False)]
_Comment = Annotated[str, typer.Option("--comment", "-m", help="why; it stands in the ledger")]


@app.command("list")
def list_versions() -> None:
    """List all versions, and who was decided on how.

    Example:
        bonafide registry list
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from bonafide.metadata.store import open_store
    from bonafide.review import ledger
    from bonafide.settings import get_settings
    from bonafide.tracking import registry

    with open_store(get_settings()) as store:
        decisions = {ledger.note(entry): f"{entry.action} {entry.reviewer}".strip() for entry in ledger.entries(store)}
    table = Table("version", "recipe", "ROC-AUC per item", "dataset", "last decision", box=SIMPLE)
    for version in registry.versions():
        name = " ".join((str(version.version), *version.aliases))
        figure = registry.shown(version.figures["item"]["roc_auc"]).replace(" (", "\n(")
        table.add_row(name, version.recipe, figure, version.dataset, decisions.get(version.decision, ""))
    Console().print(table if table.row_count else "No version yet. Train one: bonafide run")


@app.command()
def show(version: _Which = "challenger") -> None:
    """Show a version's evidence beside the champion's.

    Examples:
        bonafide registry show

        bonafide registry show 3
    """
    from rich.console import Console
    from rich.table import Table

    from bonafide.review.evidence import compare

    comparison = compare(_number(version))
    table = Table(*comparison.heads, title=comparison.title)
    for row in comparison.rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    for warning in comparison.warnings:
        console.print(f"[yellow]{warning}[/]")


@app.command()
def approve(version: _Which, reviewer: _Reviewer = "", comment: _Comment = "") -> None:
    """Make a version the champion.

    Examples:
        bonafide registry approve challenger -m "better on every generator"

        bonafide registry approve 3 --reviewer "A. Reviewer"
    """
    from bonafide.review.decide import approve as decide

    _report(decide(_number(version), _who(reviewer), comment))


@app.command()
def reject(version: _Which, reviewer: _Reviewer = "", comment: _Comment = "") -> None:
    """Refuse a version.

    Example:
        bonafide registry reject challenger -m "misses one generator"
    """
    from bonafide.review.decide import reject as decide

    _report(decide(_number(version), _who(reviewer), comment))


@app.command()
def rollback(
    to: Annotated[int | None, typer.Option(help="a former champion; default: the one before the present one", show_default=False)] = None,
    reviewer: _Reviewer = "",
    comment: _Comment = "",
) -> None:
    """Make a former champion the champion again.

    Examples:
        bonafide registry rollback -m "false alarms since Monday"

        bonafide registry rollback --to 2
    """
    from bonafide.review.decide import rollback as decide

    _report(decide(_who(reviewer), comment, to))


@app.command()
def register() -> None:
    """Register the model of the working folder as the challenger, as a run does: for `dvc repro` by hand. The same model is one version.

    Example:
        dvc repro && bonafide registry register
    """
    from pathlib import Path

    from bonafide.metadata.store import open_store
    from bonafide.metadata.sync import sync_models
    from bonafide.settings import get_settings
    from bonafide.tracking import registry
    from bonafide.tracking.experiment import git_commit

    version = registry.register_folder(Path.cwd(), commit=git_commit())
    with open_store(get_settings()) as store:
        sync_models(store, [registry.get(version)])
    typer.echo(f"version {version}. Next: bonafide registry show {version}")


@app.command()
def verify() -> None:
    """Check that the ledger is as it was written: no entry changed, missing, or taken off the end.

    Example:
        bonafide registry verify
    """
    from bonafide.metadata.store import open_store
    from bonafide.review import ledger
    from bonafide.settings import get_settings
    from bonafide.tracking import registry

    noted = [version.decision for version in registry.versions() if version.decision]
    with open_store(get_settings()) as store:
        typer.echo(f"the ledger is whole: {ledger.verify(store, noted)} entries")


def _number(version: str) -> int:
    from bonafide.tracking import registry

    return registry.named(version).version


def _who(reviewer: str) -> str:
    return reviewer or getpass.getuser()


def _report(entry: "Entry") -> None:
    typer.echo(f"{entry.action}: version {entry.version} by {entry.reviewer} (ledger entry {entry.sequence})")
