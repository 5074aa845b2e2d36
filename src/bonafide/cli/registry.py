"""The commands ``bonafide registry ...``: the reviewer's side of the model registry, with the same ledger as Airflow's approval."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from bonafide.cli import deciding
from bonafide.cli.deciding import Which

if TYPE_CHECKING:
    from rich.table import Table

    from bonafide.metadata.store import Store
    from bonafide.review.page import Page

app = typer.Typer(help="Look at model versions and decide on them.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command("list")
def list_versions() -> None:
    """List all versions, and who was decided on how.

    Example:

        bonafide registry list
    """
    from rich.console import Console

    from bonafide.review import ledger, reign
    from bonafide.tracking import registry

    with _watched_store() as store:
        versions, chain = registry.versions(), ledger.entries(store)
    decisions = {ledger.note(entry): f"{entry.action} {entry.reviewer}".strip() for entry in chain}
    ungated = reign.ungated(chain, versions)
    table = _table(("version", "recipe", "ROC-AUC per item", "dataset", "last decision"))
    for version in versions:
        marks = ("UNGATED",) if ungated and "champion" in version.aliases else ()
        figure = registry.shown(version.figures["item"]["roc_auc"]).replace(" (", "\n(")
        name = " ".join((str(version.version), *version.aliases, *marks))
        table.add_row(name, version.recipe, figure, version.dataset, decisions.get(version.decision, ""))
    Console().print(table if table.row_count else "No version yet. Train one: bonafide run")


@app.command()
def show(version: Which = "challenger") -> None:
    """Show the page that a reviewer decides on: each rule of the gate, the figures beside the champion's, what changed, worst mistakes.

    Examples:

        bonafide registry show

        bonafide registry show 3
    """
    from bonafide.review import page

    with _watched_store() as store:
        _print(page.gather(deciding.number(version), store))


@app.command()
def gate(version: Which = "challenger") -> None:
    """Check the rules of mlflow/gate.yaml; the exit status is 1 where one is not met.

    Example:

        bonafide registry gate challenger
    """
    from bonafide.review import gate as checks

    with _watched_store() as store:
        checked = checks.check(deciding.number(version), store)
    for rule in checked.rules:
        typer.secho(f"{rule.word:8} {rule.name}: {rule.said} (needed: {rule.needed})", fg=None if rule.met else typer.colors.YELLOW)
    if checked.unmet:
        raise typer.Exit(1)


@app.command()
def register() -> None:
    """Register the model of the working folder as the challenger, as a run does: for `dvc repro` by hand. The same model is one version.

    Example:
        dvc repro && bonafide registry register
    """
    import getpass
    from pathlib import Path

    from bonafide.metadata.sync import sync_models
    from bonafide.tracking import registry
    from bonafide.tracking.experiment import git_commit

    version = registry.register_folder(Path.cwd(), commit=git_commit(), trainer=getpass.getuser())
    with _watched_store() as store:
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

    with open_store(get_settings()) as store:
        noted = [version.decision for version in registry.versions() if version.decision]
        typer.echo(f"the ledger is whole: {ledger.verify(store, noted)} entries")
    with _watched_store():  # after the check: what is noticed now is written onto a chain that is whole
        pass


for command in (deciding.approve, deciding.reject, deciding.changes, deciding.rollback):
    app.command()(command)


@contextmanager
def _watched_store() -> Iterator["Store"]:
    """Open the store, record an alias that was moved by hand, and say so as long as it is so."""
    from bonafide.metadata.store import open_store
    from bonafide.review import follow, page
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        follow.notice(store)
        for sentence in page.ungated(store):
            typer.secho(sentence, fg=typer.colors.RED, err=True)
        yield store


def _print(page: "Page") -> None:
    from rich.console import Console

    console = Console()
    rules = [(rule.name, rule.word, rule.said, rule.needed) for rule in page.gate.rules]
    mistakes = [(mistake.path, mistake.label, f"{mistake.score:.3f}") for mistake in page.mistakes]
    console.print(_table(page.heads, page.figures, title=page.title))
    console.print(_table(page.heads, page.changes, title="what changed"))
    console.print(_table(("file", "is", "score"), mistakes, title="the worst mistakes"))
    console.print(_table(("rule", "", "found", "needed"), rules, title="the gate"))
    for sentence in (*page.warnings, str(page.uses), *([str(page.shadow)] if page.shadow else [])):
        console.print(sentence, style="yellow", markup=False, highlight=False)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]] = (), title: str | None = None) -> "Table":
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    table = Table(*heads, title=title, box=SIMPLE)
    for row in rows:
        table.add_row(*map(escape, row))
    return table
