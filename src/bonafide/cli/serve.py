"""The command ``bonafide serve``."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 lets other machines in, put TLS before it then")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="of the page")] = 8000,
) -> None:
    """Serve the web page: model versions, the reviewer's decision, lineage. The first start prints the password of `admin`.

    Example:
        bonafide serve --port 8000
    """
    import uvicorn

    from bonafide.serving.app import create_app

    typer.echo(f"the web page: http://{host}:{port} (Ctrl-C stops it)")
    uvicorn.run(create_app(), host=host, port=port, log_level="warning", server_header=False)
