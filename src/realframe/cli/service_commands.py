"""The commands ``serve``, ``doctor``, ``demo-data`` and ``demo``: the web service, the check of this machine and the demonstration."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realframe.services.doctor import Finding

_SHUTDOWN_GRACE_S = 5  # for open responses, such as the event streams of progress


def serve(
    host: Annotated[
        str,
        typer.Option(
            help="address to listen on, IPv4 or IPv6; 0.0.0.0 admits other machines: "
            "then put a TLS proxy in front, and set REALFRAME_PUBLIC_URL"
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 8000,
    workers: Annotated[int, typer.Option(min=0, help="number of processes that score uploads; 0: the web process only")] = 1,
) -> None:
    """Serve the web page and the REST API: uploads, verdicts, model versions and review. The first start prints the password of `admin`.

    Uploads wait in a queue until a version of the detector is approved.

    Examples:

        realframe serve --port 8000

        realframe serve --host 0.0.0.0 --workers 2
    """
    import os
    import signal

    from realframe import logs
    from realframe.permissions import PRIVATE_UMASK
    from realframe.settings import get_settings
    from realframe.web.listen_address import format_address, require_free_port

    settings = get_settings()
    require_free_port(host, port, "--port")  # before the imports that take seconds
    import uvicorn

    from realframe.web.app import create_app
    from realframe.worker import supervisor

    logs.configure_logging()
    # uvicorn raises the signal again after its own shutdown, so that the workers stop too
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    typer.echo(f"Web page: {format_address(host, port)} (Ctrl-C stops it)")
    os.umask(PRIVATE_UMASK)  # this process and the workers write to the state folder only
    with supervisor.run_workers(settings, workers):
        uvicorn.run(
            create_app(settings),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=settings.public_url is not None,  # without a proxy, X-Forwarded-For is what the sender writes
            timeout_graceful_shutdown=_SHUTDOWN_GRACE_S,
        )


def doctor() -> None:
    """Check this machine: what is present, what is missing, and the command that fixes it. Exit status: 0 complete, 1 a part is missing.

    Example:

        realframe doctor
    """
    from realframe.services.doctor import run_checks
    from realframe.settings import get_settings

    findings = run_checks(get_settings())
    print_findings(findings, "check")
    raise typer.Exit(any(finding.status == "missing" for finding in findings))


def print_findings(findings: "Iterable[Finding]", subject: str) -> None:
    """Print a table of findings; ``subject`` is the title of the column with what was checked."""
    from rich.console import Console
    from rich.text import Text

    from realframe.presentation.terminal_table import make_table

    styles = {"ok": "green", "note": "yellow", "missing": "red"}
    rows = [(Text(finding.status, styles[finding.status]), finding.check, finding.detail, finding.hint) for finding in findings]
    Console().print(make_table(("", subject, "result", "fix"), rows))


def demo_data(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="a folder that does not exist, is empty, or holds demo data of the same seed")
    ],
    clips: Annotated[int, typer.Option(min=0, help="number of clips, half of them real")] = 120,
    images: Annotated[int, typer.Option(min=0, help="number of images, half of them real")] = 80,
    unseen: Annotated[int, typer.Option(min=0, help="number of clips of other scenes in `DIR-unseen`")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="random seed; the same seed gives the same files")] = 42,
) -> None:
    """Render a labeled set of clips and images of simulated cameras and simulated generators, without downloads.

    Scores on this set show that the pipeline works. They say nothing about real cameras or real generators.

    Examples:

        realframe demo-data demo-data

        realframe demo-data /tmp/small --clips 24 --images 12 --unseen 2
    """
    from realframe.demo.render import CAVEAT, render_demo_data

    rendered_set = render_demo_data(folder, clips=clips, images=images, unseen=unseen, seed=seed)
    counts = f"{rendered_set.file_count} files, {rendered_set.rendered_count} of them rendered now"
    typer.echo(f"{rendered_set.folder}: {counts}; unseen clips: {rendered_set.unseen_dir}")
    typer.secho(CAVEAT, fg=typer.colors.YELLOW)


def demo() -> None:
    """Run the whole pipeline on rendered demo data, in a clone of this checkout: prepare, train, review, and detect unseen clips.

    A second run takes everything from the caches. Delete `.realframe/demo` to start from scratch.

    Example:

        realframe demo
    """
    from realframe.demo.demo_run import run_demo
    from realframe.settings import get_settings

    run_demo(get_settings())
