"""The command ``realframe serve``.

The command ``doctor``.

Commands of the demonstration: ``demo-data`` and ``demo``.
"""

from pathlib import Path
from typing import Annotated

import typer

_GRACE_S = 5  # for answers that are under way, such as progress that somebody follows


def serve(
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 lets other machines in, put TLS before it then")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="of the page")] = 8000,
    workers: Annotated[int, typer.Option(min=0, help="processes that score what is handed in; 0: only the page")] = 1,
) -> None:
    """Serve the web page and the REST API: hand files in, verdicts, model versions, review. The first start prints the password of `admin`.

    Without an approved version of the detector, what is handed in waits until there is one.

    Examples:

        realframe serve --port 8000

        realframe serve --host 0.0.0.0 --workers 2
    """
    import signal

    import uvicorn

    from realframe import logs
    from realframe.settings import get_settings
    from realframe.web.app import create_app
    from realframe.worker import supervisor

    logs.configure()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises it again when it has ended: the workers come after it
    typer.echo(f"the web page: http://{host}:{port} (Ctrl-C stops it)")
    with supervisor.workers(get_settings(), workers):
        uvicorn.run(
            create_app(), host=host, port=port, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_S
        )


def doctor() -> None:
    """Say what this machine has, what is missing, and the command that mends it.

    Example:

        realframe doctor
    """
    from rich.console import Console
    from rich.table import Table

    from realframe.services.doctor import examine
    from realframe.settings import get_settings

    findings = examine(get_settings())
    table = Table("", "part", "found", "what mends it")
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    for finding in findings:
        table.add_row(marks[finding.state], finding.part, finding.found, finding.hint)
    Console().print(table)
    raise typer.Exit(any(finding.state == "missing" for finding in findings))


def demo_data(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that is new, empty, or holds demo data of this seed")],
    clips: Annotated[int, typer.Option(min=0, help="how many clips, half of them real")] = 120,
    images: Annotated[int, typer.Option(min=0, help="how many images, half of them real")] = 80,
    unseen: Annotated[int, typer.Option(min=0, help="how many clips of other scenes to put in `DIR-unseen`")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="of all randomness; the same seed gives the same files")] = 42,
) -> None:
    """Render a labelled set of clips and images without downloads: simulated cameras against simulated generators.

    Scores on it say that the pipeline works. They say nothing of real cameras or real generators.

    Examples:

        realframe demo-data demo-data

        realframe demo-data /tmp/small --clips 24 --images 12 --unseen 2
    """
    from realframe.demo.render import CAVEAT, render

    done = render(folder, clips=clips, images=images, unseen=unseen, seed=seed)
    typer.echo(f"{done.folder}: {done.files} files, {done.new} of them rendered now; clips that no run sees: {done.unseen}")
    typer.secho(CAVEAT, fg=typer.colors.YELLOW)


def demo() -> None:
    """Run the whole job on a rendered set, in a clone of this checkout: prepare, train, review, and detect clips that it never saw.

    The second run takes everything from the caches. Delete `.realframe/demo` to begin anew.

    Example:

        realframe demo
    """
    from realframe.runs.output_filter import filtered_errors
    from realframe.settings import get_settings

    with filtered_errors():
        from realframe.demo.demo_run import run

        run(get_settings())
