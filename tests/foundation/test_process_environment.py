"""The command on other machines than a developer's: a proxy, a user without a name, no UTF-8, own certificates, wrong settings, no git."""

import io
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from realframe.process_environment import complete_environment
from realframe.settings import Settings
from realframe.web.listen_address import format_address
from tests.trained_checkout import copy_checkout

SERVER_VARIABLES = ("MONGODB_URI", "MLFLOW_TRACKING_URI", "REALFRAME_ROOT", "REALFRAME_HOME")
NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
UNNAMED_USER = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]


def run_realframe(
    *arguments: object, cwd: Path, before: tuple[str, ...] = (), removed: tuple[str, ...] = (), **variables: str
) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if name not in (*SERVER_VARIABLES, *removed)} | variables
    command = [*before, sys.executable, "-m", "realframe", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, errors="replace", check=False, timeout=120)


def assert_one_sentence(result: "subprocess.CompletedProcess[str]", *parts: str) -> None:
    assert result.returncode == 1, result.stdout + result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert all(part in result.stderr for part in parts), result.stderr


class EmptyRegistry(BaseHTTPRequestHandler):
    """Answers as a tracking server without versions."""

    def do_GET(self) -> None:
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry_server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyRegistry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def write_certificates(folder: Path) -> tuple[Path, Path]:
    """Write a certificate authority of its own, as of a company, and a certificate of 127.0.0.1 with its key; return both files."""
    now, keys = datetime.now(UTC), [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("test authority", "127.0.0.1")]
    files = []
    for name, key, is_authority in zip(names, keys, (True, False), strict=True):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        if not is_authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        pem = builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        if not is_authority:
            encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
            pem += key.private_bytes(encoding, form, serialization.NoEncryption())
        files.append(folder / f"{is_authority}.pem")
        files[-1].write_bytes(pem)
    return files[0], files[1]


@pytest.mark.slow
def test_a_server_on_this_machine_is_not_asked_through_a_proxy(checkout: Path, registry_server: ThreadingHTTPServer) -> None:
    uri = f"http://127.0.0.1:{registry_server.server_port}"
    removed = ("no_proxy", "NO_PROXY")
    result = run_realframe(
        "registry",
        "list",
        cwd=checkout,
        removed=removed,
        MLFLOW_TRACKING_URI=uri,
        http_proxy="http://127.0.0.1:9",
        ALL_PROXY="http://127.0.0.1:9",
    )
    assert result.returncode == 0, result.stderr
    assert "No version yet" in result.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"no_proxy": None, "NO_PROXY": None}),
        ({"http_proxy": ""}, {"no_proxy": None, "NO_PROXY": None}),
        ({"https_proxy": "http://p"}, dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")),
        (
            {"HTTP_PROXY": "http://p", "NO_PROXY": "corp.example, localhost"},
            dict.fromkeys(("no_proxy", "NO_PROXY"), "corp.example,localhost,127.0.0.1,::1"),
        ),
        ({"ALL_PROXY": "http://p", "no_proxy": "*"}, dict.fromkeys(("no_proxy", "NO_PROXY"), "*")),
    ],
)
def test_names_of_this_machine_are_added_to_no_proxy(given: dict[str, str], expected: dict[str, str | None]) -> None:
    complete = complete_environment(given)
    assert {name: complete.get(name) for name in expected} == expected


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs a user namespace")
def test_a_user_id_without_a_name_can_use_the_commands(checkout: Path, tmp_path: Path) -> None:
    if subprocess.run([*UNNAMED_USER, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow a user namespace")
    removed = ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME")
    state = {"REALFRAME_HOME": str(tmp_path / "state")}
    listed = run_realframe("registry", "list", cwd=checkout, before=tuple(UNNAMED_USER), removed=removed, **state)
    assert (listed.returncode, listed.stdout) == (0, "No version yet. Train one: realframe run\n"), listed.stderr
    script = "import getpass, realframe.process_environment as e; e.prepare_process(); print(getpass.getuser())"
    env = {name: value for name, value in os.environ.items() if name not in removed}
    asked = subprocess.run([*UNNAMED_USER, sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert asked.stdout == "uid-12345\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables", [NO_UTF8, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii", "LANG": "C", "PYTHONUTF8": "0"}]
)
def test_names_that_the_terminal_cannot_show_do_not_stop_a_command(checkout: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    folder = tmp_path / "media" / "日本"
    folder.mkdir(parents=True)
    (folder / "é😀.mp4").write_bytes(b"no film")
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"\xff\xd8\xff")
    ingested = run_realframe("ingest", tmp_path / "media", cwd=checkout, REALFRAME_HOME=str(tmp_path / "state"), **variables)
    assert "Traceback" not in ingested.stderr
    assert "files: 0 copied" in ingested.stdout
    unknown = run_realframe("lineage", "é日", cwd=checkout, REALFRAME_HOME=str(tmp_path / "state"), **variables)
    assert_one_sentence(unknown, "metadata.unknown-record")


def test_what_a_stream_cannot_write_is_escaped_as_json_does() -> None:
    script = (
        "from realframe.process_environment import prepare_process; prepare_process()\n"
        "import json, sys; print(json.dumps({'é日😀': '\\udcff'}, ensure_ascii=False))"
    )
    for encoding in ("ascii", "latin-1", "utf-8"):
        env = os.environ | {"PYTHONIOENCODING": encoding}
        result = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True)
        assert json.loads(result.stdout.decode(encoding)) == {"é日😀": "\udcff"}


def test_a_csv_on_standard_output_is_utf8_on_every_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from realframe.cli.detect_output import CsvWriter

    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    with CsvWriter("-", False):
        assert sys.stdout.encoding == "utf-8"


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_a_company_are_trusted(checkout: Path, tmp_path: Path, registry_server: ThreadingHTTPServer, variable: str) -> None:
    authority, certificate = write_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    registry_server.socket = context.wrap_socket(registry_server.socket, server_side=True)
    uri = f"https://127.0.0.1:{registry_server.server_port}"
    removed = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    settings = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    trusted = run_realframe("registry", "list", cwd=checkout, removed=removed, **settings, **{variable: str(authority)})
    assert trusted.returncode == 0, trusted.stderr


def test_the_certificates_of_the_system_are_used_where_none_are_named() -> None:
    complete = complete_environment({})
    files = {complete.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")}
    assert len(files) == 1
    assert all(file is None or Path(file).is_file() for file in files)
    named = complete_environment({"SSL_CERT_FILE": "/corp.pem", "AWS_CA_BUNDLE": "/aws.pem"})
    assert (named["SSL_CERT_FILE"], named["REQUESTS_CA_BUNDLE"], named["AWS_CA_BUNDLE"]) == ("/corp.pem", "/corp.pem", "/aws.pem")


def test_uv_uses_the_certificates_of_the_system(root: Path) -> None:
    printed = subprocess.run(
        ["make", "--dry-run", "--print-data-base", "help"], cwd=root, capture_output=True, text=True, check=False
    ).stdout
    assert re.search(r"^UV_SYSTEM_CERTS [?:]?= ", printed, re.MULTILINE)
    assert "ENV UV_SYSTEM_CERTS" in (root / "Dockerfile").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("MONGODB_URI", "foo://ada:secret@host", "foo:// is not supported, but mongodb, mongodb+srv are (given: 'foo://host')"),
        ("MONGODB_URI", "mongodb://", "the address names no host"),
        ("MLFLOW_TRACKING_URI", "foo://ada:secret@host", "foo:// is not supported, but http, https,"),
        ("MLFLOW_TRACKING_URI", "https://ada:secret@", "the address names no host"),
        ("REALFRAME_REMOTE_URL", "foo://bucket", "foo:// is not supported, but s3,"),
    ],
)
def test_an_address_that_no_client_knows_is_named(checkout: Path, variable: str, value: str, reason: str) -> None:
    result = run_realframe("users", "list", cwd=checkout, **{variable: value})
    assert_one_sentence(result, f"setup.incomplete: {variable}: ", reason, "Correct or unset")
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    "uri", ["sqlite:////tmp/a.db", "postgresql+psycopg2://u:p@host/db", "HTTPS://host/x.mlflow", "/tmp/runs", "databricks"]
)
def test_addresses_that_mlflow_knows_are_taken(uri: str, tmp_path: Path) -> None:
    assert Settings(root=tmp_path, MLFLOW_TRACKING_URI=uri).mlflow_tracking_uri == uri


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_checkout_of_another_user_is_named_with_gits_remedy(checkout: Path, tmp_path: Path) -> None:
    folder = copy_checkout(tmp_path / "theirs")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    result = run_realframe("runs", "list", cwd=folder, REALFRAME_HOME=str(tmp_path / "state"), LANG="C", HOME=str(tmp_path))
    assert_one_sentence(result, f"{folder}: belongs to another user", f"git config --global --add safe.directory {folder}")


@pytest.mark.slow
@pytest.mark.parametrize(("command", "reason"), [(["up"], "is not a checkout of realframe"), (["runs", "list"], "is not a git repository")])
def test_outside_of_a_checkout_the_remedy_is_named(tmp_path: Path, command: list[str], reason: str) -> None:
    result = run_realframe(*command, cwd=tmp_path, REALFRAME_ROOT=str(tmp_path))
    assert_one_sentence(result, f"{tmp_path}: {reason}", "Change to a checkout of realframe, or name one by REALFRAME_ROOT")


def test_a_machine_without_git_is_named(checkout: Path, tmp_path: Path) -> None:
    assert_one_sentence(run_realframe("runs", "list", cwd=checkout, PATH=str(tmp_path)), "git: is not installed", "apt install git")


def test_without_a_folder_for_temporary_files_the_remedy_is_named(checkout: Path, tmp_path: Path) -> None:
    script = (
        "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/none']\n"
        "from realframe.cli import run_command_line; import typer\n"
        "command = typer.Typer(); command.command()(lambda: tempfile.mkdtemp()); run_command_line(command)"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=checkout, capture_output=True, text=True, check=False)
    assert_one_sentence(result, "setup.incomplete: TMPDIR: none of the folders", "export TMPDIR=FOLDER")


@pytest.mark.slow
@pytest.mark.parametrize("command", [("serve", "--port"), ("up", "--airflow-port"), ("up", "--mlflow-port")])
def test_a_port_in_use_is_named(checkout: Path, command: tuple[str, str]) -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        port = occupied.getsockname()[1]
        result = run_realframe(*command, port, cwd=checkout)
    assert_one_sentence(result, f"port {port}: is used by another program", f"Choose another port with {command[1]}")


@pytest.mark.parametrize(
    ("host", "reason"),
    [("no.such.invalid", "is neither a known name nor an address"), ("203.0.113.5", "is not an address of this machine")],
)
def test_a_host_that_is_not_this_machine_is_named(checkout: Path, host: str, reason: str) -> None:
    assert_one_sentence(run_realframe("serve", "--host", host, cwd=checkout), f"host '{host}': {reason}", "127.0.0.1")


def test_an_ipv6_address_is_printed_in_brackets() -> None:
    assert format_address("::1", 8000) == "http://[::1]:8000"
    assert format_address("127.0.0.1", 8000) == "http://127.0.0.1:8000"
    assert format_address("localhost", 8000) == "http://localhost:8000"
