"""A local mail server and a local HTTP server that hold the notifications which they receive."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Received:
    """What a server has received.

    Attributes:
        url: the address of the server in Apprise's syntax.
        messages: JSON objects of the HTTP server, e-mails of the mail server; the oldest first.
    """

    url: str
    messages: list[Any] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Title and body of each message."""
        return [self._get_text(message) for message in self.messages]

    @staticmethod
    def _get_text(message: Any) -> str:
        if isinstance(message, EmailMessage):
            body = message.get_body(("plain",))
            return f"{message['subject']}\n{body.get_content() if body else ''}"
        return f"{message['title']}\n{message['message']}"


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_webhook_server(status: int = 200) -> Iterator[Received]:
    """Run an HTTP server that answers each POST with ``status``."""
    port = find_free_port()
    received = Received(f"json://127.0.0.1:{port}")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield received
        server.shutdown()
        thread.join()


@contextmanager
def run_mail_server() -> Iterator[Received]:
    """Run a mail server that accepts everything."""
    port = find_free_port()
    received = Received(f"mailto://127.0.0.1:{port}/?mode=insecure&from=realframe@localhost.localdomain&to=ann@localhost.localdomain")

    class Handler:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
            received.messages.append(message_from_bytes(envelope.content or b"", policy=policy.default))
            return "250 accepted"

    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    yield received
    controller.stop()
