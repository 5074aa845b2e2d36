"""The commands ``realframe registry``: list, show and check model versions, and decide on them, with the same ledger as the web page."""

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realframe.governance.decisions import Reviewer
    from realframe.governance.gate_results import GateResult
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
    from realframe.presentation.terminal_table import make_table
    from realframe.presentation.wording import RENDERED_MARK
    from realframe.registry import model_registry

    with _watched_store() as store:
        versions, chain = model_registry.list_versions(), ledger.list_entries(store)
    decisions = {ledger.format_entry_id(entry): f"{entry.action.replace('_', ' ')} {entry.reviewer}".strip() for entry in chain}
    unapproved = champion_history.find_unapproved_promotion(chain, versions)
    rows = []
    for version in versions:
        marks = ["unreviewed"] * bool(unapproved and "champion" in version.aliases) + [f"({RENDERED_MARK})"] * bool(version.rendered_kinds)
        name = " ".join((str(version.version), *version.aliases, *marks))
        figure = model_registry.format_metric_with_interval(version.figures["item"]["roc_auc"]).replace(" (", "\n(")
        rows.append((name, version.recipe, figure, version.dataset, decisions.get(version.decision, "")))
    heads = ("version", "recipe", "ROC-AUC per item", "dataset", "last decision")
    Console().print(make_table(heads, rows, has_lines=False) if rows else "No version yet. Train one: realframe run")


@registry_app.command()
def show(version: _Version = "challenger") -> None:
    """Show what a reviewer decides on: the gate rules, the figures next to those of the champion, the changes and the worst mistakes.

    Where no current result of the gate is stored, it is computed first.

    Examples:

        realframe registry show

        realframe registry show 3
    """
    from realframe.governance import gate, review_summary

    with _watched_store() as store:
        number = _version_number(version)
        gate.ensure_gate_result(number, store)
        _print_summary(review_summary.build_review_summary(number, store))


@registry_app.command()
def gate(
    version: _Version = "challenger",
    recompute: Annotated[bool, typer.Option("--recompute", help="compute the result again, also if a current one is stored")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Check a version against the gate rules of `mlflow/gate.yaml`, and print the table that the review page shows.

    The result is stored for the version, the champion, the rules and the evidence as they are now; the page, Airflow and `approve` read
    it. It is computed only where none is stored, which may take minutes: the champion may have to score the version's test items.

    Exit status: 0 all rules are met, 1 a rule is not met or unknown.

    Examples:

        realframe registry gate

        realframe registry gate 3 --json

        realframe registry gate challenger --recompute
    """
    from realframe.governance.gate import check_gate, ensure_gate_result

    with _watched_store() as store:
        result = (check_gate if recompute else ensure_gate_result)(_version_number(version), store)
    if as_json:
        typer.echo(json.dumps(result.as_dict(), indent=2))
    else:
        _print_gate(result)
    if result.unmet_rules:
        raise typer.Exit(1)


@registry_app.command()
def register() -> None:
    """Register the model of the working folder as the challenger, after `dvc repro` by hand. The same model is registered once.

    Example:

        dvc repro && realframe registry register
    """
    from realframe.cli.run_commands import store_gate_result
    from realframe.registry import model_registry
    from realframe.registry.run_facts import git_commit
    from realframe.store.index_sync import sync_models

    version = model_registry.register_folder(Path.cwd(), commit=git_commit(), trainer=getpass.getuser())
    with _watched_store() as store:
        sync_models(store, [model_registry.get_version(version)])
    typer.echo(f"version {version}. Next: realframe registry show {version}")
    store_gate_result(version)


@registry_app.command()
def verify() -> None:
    """Verify that no decision was changed or removed, and that champion and challenger are the versions that were registered.

    The ledger is compared with its own hashes, with the decisions noted in MLflow, and with the heads anchored in git: in this repository
    and, where one is set and reachable, on the git remote.

    Exit status: 0 all agree, 1 there is an alarm.

    Example:

        realframe registry verify
    """
    from realframe.detection.approved_bundle import check_serving_bundles
    from realframe.errors import LedgerError
    from realframe.governance import ledger_audit
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        audit = ledger_audit.audit_ledger(store, includes_remote=True)
    for sentence in (*audit.remarks, *(f"Settled before: {alarm}" for alarm in audit.settled_alarms)):
        typer.secho(sentence, fg=typer.colors.YELLOW, err=True)
    for alarm in audit.open_alarms[1:]:
        typer.secho(str(alarm), fg=typer.colors.RED, err=True)
    if audit.open_alarms:
        raise LedgerError(audit.open_alarms[0].subject, audit.open_alarms[0].reason, ledger_audit.ALARM_HINT)
    settled = f", apart from {len(audit.settled_alarms)} settled alarms" if audit.settled_alarms else ""
    typer.echo(f"the ledger is intact{settled}: {len(audit.chain)} entries")
    check_serving_bundles()
    with _watched_store():  # after the check, so that an alias moved by hand is recorded on a verified chain
        pass


@registry_app.command()
def settle(
    reason: Annotated[str, typer.Option("--reason", "-m", help="what you have found out; it is stored in the ledger", show_default=False)],
    reviewer: _ReviewerName = "",
) -> None:
    """Settle the alarms that `realframe registry verify` reports, after you have looked into them. This is an entry of the ledger too.

    After that the ledger as it is now counts: decisions noted in MLflow that it lacks are removed there. Restore the metadata store from a
    backup instead where you can: an alarm closes by itself when the ledger is whole again.

    Example:

        realframe registry settle --reason "the store was lost on 3 May; version 4 is approved again below"
    """
    from realframe.governance import decisions

    entry, audit = decisions.settle(_identify_reviewer(reviewer), reason)
    for alarm in audit.open_alarms:
        typer.echo(f"settled: {alarm}")
    for other in audit.unanchored if not audit.is_anchoring_impossible else ():
        typer.echo(f"anchored: ledger entry {other.sequence}")
    typer.echo(f"settle by {entry.reviewer} (ledger entry {entry.sequence})")


@registry_app.command()
def approve(
    version: _Version,
    reviewer: _ReviewerName = "",
    comment: _Comment = "",
    override: Annotated[str, typer.Option(help="the reason to approve although gate rules are not met; it is stored in the ledger")] = "",
    judge: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="image or video: judge it although the version abstains; needs --override")
    ] = None,
) -> None:
    """Make a version the champion. A gate rule that is not met needs a reason to override it.

    A version that abstains from a kind goes on abstaining. --judge lets it give verdicts on that kind; each of them has a caution that
    names your reason.

    Examples:

        realframe registry approve challenger -m "better on every generator"

        realframe registry approve 3 --override "the slice of 8-bit GIFs is not served here"

        realframe registry approve 3 --judge video --override "a trial with our own clips, which we check by hand"
    """
    from realframe.governance.decisions import approve as decide

    _print_decision(decide(_version_number(version), _identify_reviewer(reviewer), comment, override, judge or ()))


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
    """Open the store, record an alias that was moved by hand, and warn of open alarms and of an unapproved champion."""
    from realframe.governance import reconcile, review_summary
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        reconcile.detect_manual_changes(store)
        for sentence in review_summary.list_ledger_warnings(store):
            typer.secho(sentence, fg=typer.colors.RED, err=True)
        yield store


def _print_summary(summary: "ReviewSummary") -> None:
    from rich.console import Console

    from realframe.presentation.terminal_table import make_table

    console = Console()
    mistakes = [(mistake.path, mistake.label, f"{mistake.score:.3f}") for mistake in summary.mistakes]
    console.print(make_table(summary.column_titles, summary.figures, title=summary.title, has_lines=False))
    console.print(make_table(summary.column_titles, summary.changes, title="changes", has_lines=False))
    console.print(make_table(("file", "label", "score"), mistakes, title="worst mistakes", has_lines=False))
    if summary.gate:
        _print_gate(summary.gate)
    for sentence in (*summary.warnings, str(summary.split_usage), *([str(summary.shadow)] if summary.shadow else [])):
        console.print(sentence, style="yellow", markup=False, highlight=False)


def _print_gate(result: "GateResult") -> None:
    from rich.console import Console

    from realframe.governance.gate_results import TABLE_TITLES
    from realframe.presentation.terminal_table import make_table

    against = f"compared with version {result.champion}" if result.champion else "without another champion to compare with"
    console = Console()
    title = f"gate rules: version {result.version}, {against}"
    console.print(make_table(TABLE_TITLES, result.rows, title=title, has_lines=False))
    console.print(result.headline, style="yellow" if result.unmet_rules else "green", highlight=False)


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
    for kind, reason in (entry.evidence.get("judged_kinds") or {}).items():
        typer.secho(f"{kind}s are judged by this decision, with a caution on each verdict. Reason: {reason}", fg=typer.colors.YELLOW)
