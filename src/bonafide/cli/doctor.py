"""The command ``doctor``."""

import typer


def doctor() -> None:
    """Say what this machine has, what is missing, and the command that mends it.

    Example:

        bonafide doctor
    """
    from rich.console import Console
    from rich.table import Table

    from bonafide.services.doctor import examine
    from bonafide.settings import get_settings

    findings = examine(get_settings())
    table = Table("", "part", "found", "what mends it")
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    for finding in findings:
        table.add_row(marks[finding.state], finding.part, finding.found, finding.cure)
    Console().print(table)
    raise typer.Exit(any(finding.state == "missing" for finding in findings))
