"""The commands of ``realframe registry`` that decide: ``approve``, ``reject``, ``changes`` and ``rollback``.

The commands ``realframe registry ...``: the reviewer's side of the model registry, with the same ledger as Airflow's approval.
"""

import getpass
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realframe.governance.decisions import Reviewer
    from realframe.store.documents import LedgerEntry

Which = Annotated[str, typer.Argument(help="a number, `challenger` or `champion`", show_default=False)]
_Name = Annotated[
    str,
    typer.Option(
        "--reviewer",
        envvar="REALFRAME_REVIEWER",
        help="who decides; default: your login. Another name needs its account's password: asked for, or REALFRAME_PASSWORD",
        show_default=False,
    ),
]
_Comment = Annotated[str, typer.Option("--comment", "-m", help="why; it stands in the ledger")]


def approve(
    version: Which,
    reviewer: _Name = "",
    comment: _Comment = "",
    override: Annotated[str, typer.Option(help="why the rules that are not met don't count; it stands in the ledger")] = "",
) -> None:
    """Make a version the champion. A rule of the gate that is not met needs a reason to override it.

    Examples:

        realframe registry approve challenger -m "better on every generator"

        realframe registry approve 3 --override "the slice of 8-bit GIFs is not served here"
    """
    from realframe.governance.decisions import approve as decide

    _report(decide(number(version), _who(reviewer), comment, override))


def reject(version: Which, reviewer: _Name = "", comment: _Comment = "") -> None:
    """Refuse a version.

    Example:

        realframe registry reject challenger -m "misses one generator"
    """
    from realframe.governance.decisions import reject as decide

    _report(decide(number(version), _who(reviewer), comment))


def changes(version: Which, comment: _Comment, reviewer: _Name = "") -> None:
    """Ask for changes: the version is the challenger no longer, and the comment says what a next one needs.

    Example:

        realframe registry changes challenger -m "train it with more compressed clips"
    """
    from realframe.governance.decisions import ask_for_changes as decide

    _report(decide(number(version), _who(reviewer), comment))


def rollback(
    to: Annotated[int | None, typer.Option(help="a former champion; default: the one before the present one", show_default=False)] = None,
    reviewer: _Name = "",
    comment: _Comment = "",
) -> None:
    """Make a former champion the champion again.

    Examples:

        realframe registry rollback -m "false alarms since Monday"

        realframe registry rollback --to 2
    """
    from realframe.governance.decisions import rollback as decide

    _report(decide(_who(reviewer), comment, to))


def number(version: str) -> int:
    """Return the number of a version that is named by it or by an alias. Raises RegistryError."""
    from realframe.registry import model_registry

    return model_registry.named(version).version


def _who(name: str) -> "Reviewer":
    """Return the login's user, for whom the operating system vouches, or whoever gives the right password for another name."""
    from realframe.governance import decisions

    login = getpass.getuser()
    if name in ("", login):
        return decisions.by_login(login)
    return decisions.by_password(name, _password(name), "cli")


def _password(name: str) -> str:
    import os

    return os.environ.get("REALFRAME_PASSWORD") or str(typer.prompt(f"password of {name}", hide_input=True, err=True))


def _report(entry: "LedgerEntry") -> None:
    typer.echo(f"{entry.action}: version {entry.version} by {entry.reviewer} (ledger entry {entry.sequence})")
    if entry.overrides:
        typer.secho(f"overridden: {', '.join(entry.overrides)}. Reason: {entry.reason}", fg=typer.colors.YELLOW)


if TYPE_CHECKING:
    from rich.table import Table

    from realframe.governance.review_summary import ReviewSummary
    from realframe.store.repository import Store

registry_app = typer.Typer(help="Look at model versions and decide on them.", no_args_is_help=True, rich_markup_mode="markdown")


@registry_app.command("list")
def list_versions() -> None:
    """List all versions, and who was decided on how.

    Example:

        realframe registry list
    """
    from rich.console import Console

    from realframe.governance import champion_history, ledger
    from realframe.registry import model_registry

    with _watched_store() as store:
        versions, chain = model_registry.versions(), ledger.entries(store)
    decisions = {ledger.note(entry): f"{entry.action} {entry.reviewer}".strip() for entry in chain}
    ungated = champion_history.ungated(chain, versions)
    table = _table(("version", "recipe", "ROC-AUC per item", "dataset", "last decision"))
    for version in versions:
        marks = ("UNGATED",) if ungated and "champion" in version.aliases else ()
        figure = model_registry.shown(version.figures["item"]["roc_auc"]).replace(" (", "\n(")
        name = " ".join((str(version.version), *version.aliases, *marks))
        table.add_row(name, version.recipe, figure, version.dataset, decisions.get(version.decision, ""))
    Console().print(table if table.row_count else "No version yet. Train one: realframe run")


@registry_app.command()
def show(version: Which = "challenger") -> None:
    """Show the page that a reviewer decides on: each rule of the gate, the figures beside the champion's, what changed, worst mistakes.

    Examples:

        realframe registry show

        realframe registry show 3
    """
    from realframe.governance import review_summary

    with _watched_store() as store:
        _print(review_summary.gather(number(version), store))


@registry_app.command()
def gate(version: Which = "challenger") -> None:
    """Check the rules of mlflow/gate.yaml; the exit status is 1 where one is not met.

    Example:

        realframe registry gate challenger
    """
    from realframe.governance import gate as checks

    with _watched_store() as store:
        checked = checks.check(number(version), store)
    for rule in checked.rules:
        typer.secho(f"{rule.word:8} {rule.name}: {rule.said} (needed: {rule.needed})", fg=None if rule.met else typer.colors.YELLOW)
    if checked.unmet:
        raise typer.Exit(1)


@registry_app.command()
def register() -> None:
    """Register the model of the working folder as the challenger, as a run does: for `dvc repro` by hand. The same model is one version.

    Example:
        dvc repro && realframe registry register
    """
    import getpass
    from pathlib import Path

    from realframe.registry import model_registry
    from realframe.registry.mlflow_runs import git_commit
    from realframe.store.index_sync import sync_models

    version = model_registry.register_folder(Path.cwd(), commit=git_commit(), trainer=getpass.getuser())
    with _watched_store() as store:
        sync_models(store, [model_registry.get(version)])
    typer.echo(f"version {version}. Next: realframe registry show {version}")


@registry_app.command()
def verify() -> None:
    """Check that the ledger is as it was written: no entry changed, missing, or taken off the end.

    Example:

        realframe registry verify
    """
    from realframe.governance import ledger
    from realframe.registry import model_registry
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        noted = [version.decision for version in model_registry.versions() if version.decision]
        typer.echo(f"the ledger is whole: {ledger.verify(store, noted)} entries")
    with _watched_store():  # after the check: what is noticed now is written onto a chain that is whole
        pass


for command in (approve, reject, changes, rollback):
    registry_app.command()(command)


@contextmanager
def _watched_store() -> Iterator["Store"]:
    """Open the store, record an alias that was moved by hand, and say so as long as it is so."""
    from realframe.governance import reconcile, review_summary
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        reconcile.detect_manual_changes(store)
        for sentence in review_summary.ungated(store):
            typer.secho(sentence, fg=typer.colors.RED, err=True)
        yield store


def _print(page: "ReviewSummary") -> None:
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
