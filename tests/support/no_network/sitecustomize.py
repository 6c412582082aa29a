"""Keeps Python on this machine: loaded by every interpreter whose PYTHONPATH holds this folder.

An audit hook cannot be taken out again, and sees sockets whichever library opens them.
"""

import ipaddress
import sys

NAMES = {"localhost", "localhost.localdomain", ""}


class RealNetworkError(OSError):
    """Something in the tests reached for the network."""


def is_local(host: object) -> bool:
    """Whether a host is this machine."""
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host is None or host in NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def guard(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse connections and look-ups of any other machine."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a path, for Unix sockets
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    else:
        return
    if not is_local(host):
        message = f"no test may reach {host!r}"
        raise RealNetworkError(message)


sys.addaudithook(guard)
