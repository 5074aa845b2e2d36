"""The commands ``realframe registry``: list, show and check model versions, and decide on them, with the same ledger as the web page."""

import getpass
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from realframe.governance.decisions import Reviewer
    from realframe.governance.review_summary import ReviewSummary
    from realframe.store.repository import Store
    from realframe.store.user_documents import LedgerEntry

registry_app = typer.Typer(
    help="List, show and check model versions, and decide on them.", no_args_is_help=True, rich_markup_mode="markdown"
)

_Version = Annotated[
    str, typer.Argument(metavar="VERSION|ALIAS", help="a version number, or `challenger` or `champion`", show_default=False)
]
_ReviewerName = Annotated[
    str,
    typer.Option(
        "--reviewer",
        envvar="REALFRAME_REVIEWER",
        help="account of the reviewer; default: your login name. Any other account needs its password: a prompt, or REALFRAME_PASSWORD",
        show_default=False,
    ),
]
_Comment = Annotated[str, typer.Option("--comment", "-m", help="the reason; it is stored in the ledger")]


@registry_app.command("list")
def list_versions() -> None:
    """List all versions with their last decision.

    Example:

        realframe registry list
    """
    from rich.console import Console

    from realframe.governance import champion_history, ledger
    from realframe.registry import model_registry

    with _watched_store() as store:
        versions, chain = model_registry.list_versions(), ledger.list_entries(store)
    decisions = {ledger.format_entry_id(entry): f"{entry.action.replace('_', ' ')} {entry.reviewer}".strip() for entry in chain}
    unapproved = champion_history.find_unapproved_promotion(chain, versions)
    table = _table(("version", "recipe", "ROC-AUC per item", "dataset", "last decision"))
    for version in versions:
        marks = ("unreviewed",) if unapproved and "champion" in version.aliases else ()
        figure = model_registry.format_metric_with_interval(version.figures["item"]["roc_auc"]).replace(" (", "\n(")
        name = " ".join((str(version.version), *version.aliases, *marks))
        table.add_row(name, version.recipe, figure, version.dataset, decisions.get(version.decision, ""))
    Console().print(table if table.row_count else "No version yet. Train one: realframe run")


@registry_app.command()
def show(version: _Version = "challenger") -> None:
    """Show what a reviewer decides on: the gate rules, the figures next to those of the champion, the changes and the worst mistakes.

    Examples:

        realframe registry show

        realframe registry show 3
    """
    from realframe.governance import review_summary

    with _watched_store() as store:
        _print_summary(review_summary.build_review_summary(_version_number(version), store))


@registry_app.command()
def gate(version: _Version = "challenger") -> None:
    """Check a version against the gate rules of `mlflow/gate.yaml`. Exit status: 0 all are met, 1 a rule is not met.

    Example:

        realframe registry gate challenger
    """
    from realframe.governance.gate import check_gate

    with _watched_store() as store:
        result = check_gate(_version_number(version), store)
    for rule in result.rules:
        typer.secho(
            f"{rule.status:8} {rule.name}: {rule.observed} (required: {rule.required})", fg=None if rule.is_met else typer.colors.YELLOW
        )
    if result.unmet_rules:
        raise typer.Exit(1)


@registry_app.command()
def register() -> None:
    """Register the model of the working folder as the challenger, after `dvc repro` by hand. The same model is registered once.

    Example:

        dvc repro && realframe registry register
    """
    from realframe.registry import model_registry
    from realframe.registry.mlflow_runs import git_commit
    from realframe.store.index_sync import sync_models

    version = model_registry.register_folder(Path.cwd(), commit=git_commit(), trainer=getpass.getuser())
    with _watched_store() as store:
        sync_models(store, [model_registry.get_version(version)])
    typer.echo(f"version {version}. Next: realframe registry show {version}")


@registry_app.command()
def verify() -> None:
    """Verify the hash chain of the ledger: no entry was changed or removed.

    Example:

        realframe registry verify
    """
    from realframe.governance import ledger
    from realframe.registry import model_registry
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        entry_ids = [version.decision for version in model_registry.list_versions() if version.decision]
        typer.echo(f"the ledger is intact: {ledger.verify_chain(store, entry_ids)} entries")
    with _watched_store():  # after the check, so that an alias moved by hand is recorded on a verified chain
        pass


@registry_app.command()
def approve(
    version: _Version,
    reviewer: _ReviewerName = "",
    comment: _Comment = "",
    override: Annotated[str, typer.Option(help="the reason to approve although gate rules are not met; it is stored in the ledger")] = "",
) -> None:
    """Make a version the champion. A gate rule that is not met needs a reason to override it.

    Examples:

        realframe registry approve challenger -m "better on every generator"

        realframe registry approve 3 --override "the slice of 8-bit GIFs is not served here"
    """
    from realframe.governance.decisions import approve as decide

    _print_decision(decide(_version_number(version), _identify_reviewer(reviewer), comment, override))


@registry_app.command()
def reject(version: _Version, reviewer: _ReviewerName = "", comment: _Comment = "") -> None:
    """Reject a version.

    Example:

        realframe registry reject challenger -m "misses one generator"
    """
    from realframe.governance.decisions import reject as decide

    _print_decision(decide(_version_number(version), _identify_reviewer(reviewer), comment))


@registry_app.command()
def request_changes(version: _Version, comment: _Comment, reviewer: _ReviewerName = "") -> None:
    """Request changes: the version is no longer the challenger, and the comment tells what the next one needs.

    Example:

        realframe registry request-changes challenger -m "train it with more compressed clips"
    """
    from realframe.governance.decisions import request_changes as decide

    _print_decision(decide(_version_number(version), _identify_reviewer(reviewer), comment))


@registry_app.command()
def rollback(
    version: Annotated[
        int | None, typer.Argument(help="version number of a former champion; default: the previous one", show_default=False)
    ] = None,
    reviewer: _ReviewerName = "",
    comment: _Comment = "",
) -> None:
    """Make a former champion the champion again.

    Examples:

        realframe registry rollback -m "false alarms since Monday"

        realframe registry rollback 2
    """
    from realframe.governance.decisions import rollback as decide

    _print_decision(decide(_identify_reviewer(reviewer), comment, version))


@contextmanager
def _watched_store() -> Iterator["Store"]:
    """Open the store, record an alias that was moved by hand, and warn as long as the champion is not the approved version."""
    from realframe.governance import reconcile, review_summary
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        reconcile.detect_manual_changes(store)
        for sentence in review_summary.list_unapproved_champion_warnings(store):
            typer.secho(sentence, fg=typer.colors.RED, err=True)
        yield store


def _print_summary(summary: "ReviewSummary") -> None:
    from rich.console import Console

    console = Console()
    rules = [(rule.name, rule.status, rule.observed, rule.required) for rule in summary.gate.rules]
    mistakes = [(mistake.path, mistake.label, f"{mistake.score:.3f}") for mistake in summary.mistakes]
    console.print(_table(summary.column_titles, summary.figures, title=summary.title))
    console.print(_table(summary.column_titles, summary.changes, title="changes"))
    console.print(_table(("file", "label", "score"), mistakes, title="worst mistakes"))
    console.print(_table(("rule", "", "observed", "required"), rules, title="gate rules"))
    for sentence in (*summary.warnings, str(summary.split_usage), *([str(summary.shadow)] if summary.shadow else [])):
        console.print(sentence, style="yellow", markup=False, highlight=False)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]] = (), title: str | None = None) -> "Table":
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    table = Table(*heads, title=title, box=SIMPLE)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _version_number(version: str) -> int:
    """Return the version number of a number or an alias. Raises RegistryError."""
    from realframe.registry import model_registry

    return model_registry.resolve_version(version).version


def _identify_reviewer(name: str) -> "Reviewer":
    """Return the login user, whom the operating system authenticated, or the account whose password is right."""
    from realframe.governance import decisions

    login = getpass.getuser()
    if name in ("", login):
        return decisions.reviewer_from_login(login)
    return decisions.reviewer_from_password(name, _ask_password(name), "cli")


def _ask_password(name: str) -> str:
    return os.environ.get("REALFRAME_PASSWORD") or str(typer.prompt(f"Password of {name}", hide_input=True, err=True))


def _print_decision(entry: "LedgerEntry") -> None:
    typer.echo(f"{entry.action}: version {entry.version} by {entry.reviewer} (ledger entry {entry.sequence})")
    if entry.overrides:
        typer.secho(f"overridden: {', '.join(entry.overrides)}. Reason: {entry.override_reason}", fg=typer.colors.YELLOW)
