"""Check and print the address that a service listens on, before anything is started for it."""

import errno
import ipaddress
import socket

from realframe.errors import SetupError


def require_free_port(host: str, port: int, option: str) -> None:
    """Raise SetupError if a service cannot listen on a port of this machine.

    Args:
        host: the name or address, IPv4 or IPv6, on which the service shall listen.
        port: its number.
        option: the option of the command that sets the port, for the hint.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        hint = "Use 127.0.0.1 or ::1 for this machine only, 0.0.0.0 or :: for all its networks."
        raise SetupError(f"host {host!r}", "is neither a known name nor an address", hint) from error
    for family, _, _, _, address in addresses:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            raise _make_error(host, port, option, error) from error


def format_address(host: str, port: int) -> str:
    """Return the address of a service for a browser; an IPv6 address is put in brackets."""
    try:
        is_ipv6 = ipaddress.ip_address(host).version == 6
    except ValueError:
        is_ipv6 = False
    return f"http://[{host}]:{port}" if is_ipv6 else f"http://{host}:{port}"


def _make_error(host: str, port: int, option: str, error: OSError) -> SetupError:
    match error.errno:
        case errno.EADDRINUSE:
            return SetupError(f"port {port}", "is used by another program", f"Choose another port with {option}.")
        case errno.EACCES:
            return SetupError(f"port {port}", "may not be opened by this user", f"Choose a port above 1023 with {option}.")
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            reason = "is not an address of this machine"
            return SetupError(f"host {host!r}", reason, "`ip address` lists them; 127.0.0.1 is always there.")
        case _:
            return SetupError(f"port {port} of {host}", f"cannot be opened: {error.strerror}", f"Choose another port with {option}.")
