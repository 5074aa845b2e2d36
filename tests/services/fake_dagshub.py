"""A local server with the endpoints and the authentication of DagsHub: S3, git over HTTP, MLflow, and the user of a token.

MLflow's requests go to a real MLflow server, git's to git's own ``http-backend``; S3 keeps its objects in memory. It was written from the
documentation of DagsHub and its client, and was not compared with the real service.
"""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import requests

REPOSITORY = "ann/clips"


@dataclass
class FakeDagsHub:
    """The state of the server, which a test may change at any time.

    Attributes:
        token: the only valid token.
        mlflow_url: the MLflow server behind it.
        bare_repository: the git repository.
        refused: (method, part of the path) of requests that are answered with 403.
        missing: parts of paths that this server does not know: they are answered with 404.
    """

    token: str
    mlflow_url: str
    bare_repository: Path
    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve_dagshub(token: str, mlflow_url: str, folder: Path) -> Iterator[FakeDagsHub]:
    """Serve on a free port of this machine."""
    bare = folder / "clips.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "config", "http.receivepack", "true"], check=True)
    hub = FakeDagsHub(token, mlflow_url, bare)

    class Handler(_Handler):
        state = hub

    server = _Server(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: clients close connections that they kept open."""


class _Handler(BaseHTTPRequestHandler):
    state: FakeDagsHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def handle_any(self) -> None:
        hub, path = self.state, urlsplit(self.path).path
        body = self._read_body()
        hub.requests.append(f"{self.command} {path}")
        if not self._is_authenticated(path):
            self._answer(401, b"no valid token", {"WWW-Authenticate": 'Basic realm="DagsHub"'})
        elif any(method == self.command and part in path for method, part in hub.refused):
            self._answer(403, b'{"error_code": "PERMISSION_DENIED", "message": "the token may not do this"}')
        elif any(part in path for part in hub.missing):
            self._answer(404, b"404 page not found", {"Content-Type": "text/plain"})
        elif path == "/api/v1/user":
            self._answer(200, json.dumps({"login": "ann", "username": "ann"}).encode())
        elif path.startswith(f"/{REPOSITORY}.s3/dvc"):
            self._serve_s3(path.removeprefix(f"/{REPOSITORY}.s3/dvc").lstrip("/"), body)
        elif path.startswith(f"/{REPOSITORY}.git/"):
            self._serve_git(path.removeprefix(f"/{REPOSITORY}.git"), body)
        elif path.startswith(f"/{REPOSITORY}.mlflow/"):
            self._serve_mlflow(body)
        else:
            self._answer(404, b"404 page not found")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def _is_authenticated(self, path: str) -> bool:
        token, header = self.state.token, self.headers.get("Authorization", "")
        if ".s3/" in path:
            return f"Credential={token}/" in header
        basic = base64.b64encode(f"{token}:{token}".encode()).decode()
        return header in (f"Basic {basic}", f"Bearer {token}", f"token {token}")

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return chunks
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _serve_s3(self, key: str, body: bytes) -> None:
        key, query, objects = unquote(key), parse_qs(urlsplit(self.path).query, keep_blank_values=True), self.state.objects
        if not key and self.command in ("GET", "HEAD"):
            prefix = query.get("prefix", [""])[0]
            found = "".join(
                f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f'<ETag>"{len(content)}"</ETag><Size>{len(content)}</Size><StorageClass>STANDARD</StorageClass></Contents>'
                for name, content in sorted(objects.items())
                if name.startswith(prefix)
            )
            listing = f"<Name>dvc</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>{found}"
            xml = f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{listing}</ListBucketResult>'
            self._answer(200, xml.encode(), {"Content-Type": "application/xml"})
        elif self.command == "PUT":
            objects[key] = _decode_aws_chunks(body) if "aws-chunked" in self.headers.get("Content-Encoding", "") else body
            self._answer(200, b"", {"ETag": f'"{len(body)}"'})
        elif self.command == "DELETE":
            objects.pop(key, None)
            self._answer(204)
        elif key in objects:
            facts = {"ETag": f'"{len(objects[key])}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
            self._answer(200, objects[key], {"Content-Type": "application/octet-stream", **facts})
        else:
            xml = '<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>not found</Message></Error>'
            self._answer(404, xml.encode(), {"Content-Type": "application/xml"})

    def _serve_git(self, path: str, body: bytes) -> None:
        environment = {
            "GIT_PROJECT_ROOT": str(self.state.bare_repository),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "REQUEST_METHOD": self.command,
            "QUERY_STRING": urlsplit(self.path).query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "ann",
            "PATH": "/usr/bin:/bin",
        }
        output = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=False).stdout
        head, _, content = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        self._answer(int(headers.pop("Status", "200").split()[0]), content, headers)

    def _serve_mlflow(self, body: bytes) -> None:
        url = self.state.mlflow_url + self.path.removeprefix(f"/{REPOSITORY}.mlflow")
        headers = {name: value for name, value in self.headers.items() if name.lower() in ("content-type", "accept")}
        answer = requests.request(self.command, url, data=body, headers=headers, timeout=30)
        self._answer(answer.status_code, answer.content, {"Content-Type": answer.headers.get("Content-Type", "text/plain")})


def _decode_aws_chunks(body: bytes) -> bytes:
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        content, body = content + body[:length], body[length + 2 :]
    return content
