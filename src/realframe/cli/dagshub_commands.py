"""The command ``dagshub connect``."""

from typing import Annotated

import typer

dagshub_app = typer.Typer(
    help="Use a repository on DagsHub as data remote, git remote and MLflow server.", no_args_is_help=True, rich_markup_mode="markdown"
)


@dagshub_app.callback()
def _dagshub() -> None:
    """Keep `connect` a command of its own."""


@dagshub_app.command()
def connect(repository: Annotated[str, typer.Argument(metavar="OWNER/REPO", help="the repository on DagsHub")]) -> None:
    """Use a repository on DagsHub for data, commits, runs and versions, and check each right that this needs there.

    The token is that of `DAGSHUB_USER_TOKEN`, or of `dagshub login`; it is read again at each use. The choice is saved in
    `.realframe/settings.env`; delete its lines to disconnect. Variables of the environment precede it.
    Exit status: 0 all rights are there, 1 one is missing.

    Example:

        DAGSHUB_USER_TOKEN=... realframe dagshub connect ann/clips
    """
    from rich.console import Console

    from realframe.cli.service_commands import print_findings
    from realframe.services.dagshub_connection import check_rights, save_connection
    from realframe.settings import get_settings

    settings = get_settings()
    settings.require_checkout()
    settings = save_connection(repository, settings)
    for variable, is_set, part in (
        ("REALFRAME_REMOTE_URL", settings.remote_url, "the data remote"),
        ("MLFLOW_TRACKING_URI", settings.mlflow_tracking_uri, "MLflow"),
    ):
        if is_set:
            typer.secho(f"{variable} is set and decides {part}; unset it to use DagsHub there.", fg=typer.colors.YELLOW, err=True)
    with Console(stderr=True).status("checking the rights ..."):
        findings = list(check_rights(settings))
    print_findings(findings, "right")
    raise typer.Exit(any(finding.status != "ok" for finding in findings))
