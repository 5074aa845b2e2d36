"""The commands of ``bonafide registry`` that decide: ``approve``, ``reject``, ``changes`` and ``rollback``."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bonafide.metadata.schema import Entry
    from bonafide.review.reviewer import Reviewer

Which = Annotated[str, typer.Argument(help="a number, `challenger` or `champion`", show_default=False)]
_Name = Annotated[
    str,
    typer.Option(
        "--reviewer",
        envvar="BONAFIDE_REVIEWER",
        help="who decides; default: your login. Another name needs its account's password: asked for, or BONAFIDE_PASSWORD",
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

        bonafide registry approve challenger -m "better on every generator"

        bonafide registry approve 3 --override "the slice of 8-bit GIFs is not served here"
    """
    from bonafide.review.decide import approve as decide

    _report(decide(number(version), _who(reviewer), comment, override))


def reject(version: Which, reviewer: _Name = "", comment: _Comment = "") -> None:
    """Refuse a version.

    Example:

        bonafide registry reject challenger -m "misses one generator"
    """
    from bonafide.review.decide import reject as decide

    _report(decide(number(version), _who(reviewer), comment))


def changes(version: Which, comment: _Comment, reviewer: _Name = "") -> None:
    """Ask for changes: the version is the challenger no longer, and the comment says what a next one needs.

    Example:

        bonafide registry changes challenger -m "train it with more compressed clips"
    """
    from bonafide.review.decide import ask_for_changes as decide

    _report(decide(number(version), _who(reviewer), comment))


def rollback(
    to: Annotated[int | None, typer.Option(help="a former champion; default: the one before the present one", show_default=False)] = None,
    reviewer: _Name = "",
    comment: _Comment = "",
) -> None:
    """Make a former champion the champion again.

    Examples:

        bonafide registry rollback -m "false alarms since Monday"

        bonafide registry rollback --to 2
    """
    from bonafide.review.decide import rollback as decide

    _report(decide(_who(reviewer), comment, to))


def number(version: str) -> int:
    """Return the number of a version that is named by it or by an alias. Raises RegistryError."""
    from bonafide.tracking import registry

    return registry.named(version).version


def _who(name: str) -> "Reviewer":
    """Return the login's user, for whom the operating system vouches, or whoever gives the right password for another name."""
    from bonafide.review import reviewer

    login = getpass.getuser()
    if name in ("", login):
        return reviewer.by_login(login)
    return reviewer.by_password(name, _password(name), "cli")


def _password(name: str) -> str:
    import os

    return os.environ.get("BONAFIDE_PASSWORD") or str(typer.prompt(f"password of {name}", hide_input=True, err=True))


def _report(entry: "Entry") -> None:
    typer.echo(f"{entry.action}: version {entry.version} by {entry.reviewer} (ledger entry {entry.sequence})")
    if entry.overrides:
        typer.secho(f"overridden: {', '.join(entry.overrides)}. Reason: {entry.reason}", fg=typer.colors.YELLOW)
