"""The command ``bonafide serve``."""

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

        bonafide serve --port 8000

        bonafide serve --host 0.0.0.0 --workers 2
    """
    import signal

    import uvicorn

    from bonafide.serving.app import create_app
    from bonafide.serving.operations import logs
    from bonafide.serving.worker import supervise
    from bonafide.settings import get_settings

    logs.configure()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises it again when it has ended: the workers come after it
    typer.echo(f"the web page: http://{host}:{port} (Ctrl-C stops it)")
    with supervise.workers(get_settings(), workers):
        uvicorn.run(
            create_app(), host=host, port=port, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_S
        )
