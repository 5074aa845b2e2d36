"""Complete the environment of this process and of those below it, for what machines lack: containers, companies' networks, old terminals.

What the user has set stays. What is added:

- requests to this machine itself go through no proxy: a proxy would look for the service on its own machine;
- a user id without a name (``docker run --user``) gets one, which Python, Airflow and MLflow ask for, and a home folder;
- the certificates of the system are trusted, also by the Python packages that bring their own list: a company's network may present
  certificates of its own;
- Python reads and writes texts and file names as UTF-8, whatever the locale is.
"""

import codecs
import getpass
import io
import locale
import os
import sys
from collections.abc import Mapping
from pathlib import Path

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CERTIFICATE_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)
"""Where systems keep the certificates that they trust, in one file."""


def prepare_process() -> None:
    """Complete the environment of this process, and let its standard streams write any text.

    In a locale that is not UTF-8, the process starts itself again in Python's UTF-8 mode: file names are decoded when Python starts.
    """
    if not sys.flags.utf8_mode and codecs.lookup(locale.getencoding()).name != "utf-8":
        terminal = sys.stdout.encoding if sys.stdout else "ascii"
        environment = {"PYTHONIOENCODING": terminal, **os.environ}  # the terminal does not change
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)  # noqa: S606
    codecs.register_error("json-escape", _escape_as_json)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="json-escape")
    complete = complete_environment(os.environ)
    os.environ.pop("PYTHONIOENCODING", None)
    os.environ.update(complete)


def complete_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a process that realframe starts: those given, and those that are missing."""
    complete = {name: value for name, value in environment.items() if name != "PYTHONIOENCODING"}  # children write to pipes and files
    complete["PYTHONUTF8"] = "1"
    return {**_find_certificates(complete), **_name_user(), **complete, **_exclude_loopback(complete)}


def _exclude_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Return NO_PROXY, in both cases of letters, with the names of this machine added; nothing where no proxy is set.

    On a Mac the variable alone would turn off the proxies of the system's settings.
    """
    if not any(environment.get(name) or environment.get(name.upper()) for name in _PROXIES):
        return {}
    lower, upper = environment.get("no_proxy", ""), environment.get("NO_PROXY", "")
    hosts = [host.strip() for host in f"{lower or upper},{upper or lower}".split(",") if host.strip()]
    if "*" in hosts:
        return {"no_proxy": "*", "NO_PROXY": "*"}
    value = ",".join(dict.fromkeys((*hosts, *_LOOPBACK)))
    return {"no_proxy": value, "NO_PROXY": value}


def _name_user() -> dict[str, str]:
    """Return variables that give a user id without an entry in the system's list of users a name and a home folder."""
    missing = {}
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError: from Python 3.13 on
        missing = {"LOGNAME": f"uid-{os.geteuid()}", "USER": f"uid-{os.geteuid()}"}
    if os.path.expanduser("~") == "~":  # noqa: PTH111 (Path raises RuntimeError)
        missing["HOME"] = "/"
    return missing


def _find_certificates(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which requests, boto and httpx read the system's certificates, or those that SSL_CERT_FILE names."""
    system = next((file for file in _CERTIFICATE_FILES if Path(file).is_file()), None)
    file = environment.get("SSL_CERT_FILE") or system
    return dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"), file) if file else {}


def _escape_as_json(error: UnicodeError) -> tuple[str, int]:
    r"""Replace characters that a stream cannot write as JSON does, such as ``\u65e5``: what is printed as JSON stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2)), error.end
