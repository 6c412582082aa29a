"""What the environment says of the network, where it keeps a model's server from being asked.

Libraries read these variables, and mostly not for us: a proxy that only browsers need may stand
before a server on this machine, and errors name neither the variable nor the proxy.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_SOCKS = "socksio"
"""The package without which httpx speaks to no such proxy."""


def proxy_before(url: str) -> str:
    """Return the variable that names the proxy before a server; empty if there is none.

    Args:
        url: The server's address.
    """
    proxies = getproxies_environment()
    parts = urlsplit(url)
    if proxies and proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return next((f"{kind.upper()}_PROXY" for kind in (parts.scheme, "all") if kind in proxies), "")


def network_fault(error: Exception) -> tuple[str, str] | None:
    """Return which variable keeps a client from being made, and what to do; `None` if none does.

    Of the error nothing is quoted: it may hold the password of a proxy.

    Args:
        error: What making the client raised.
    """
    proxies = " or ".join(f"{kind.upper()}_PROXY" for kind in getproxies_environment())
    certificates = next((name for name in _CERTIFICATES if os.environ.get(name)), "")
    if proxies and isinstance(error, ImportError) and _SOCKS in str(error):
        remedy = f"Install the package {_SOCKS} in the environment of re2llm, or unset {proxies}."
        return f"a SOCKS proxy is set in {proxies}", remedy
    if proxies and (type(error).__name__ == "InvalidURL" or "proxy" in str(error).lower()):
        remedy = f"Write it as http://user:password@host:port, or unset {proxies}."
        return f"{proxies} cannot be read as the address of a proxy", remedy
    if certificates and isinstance(error, OSError):
        problem = f"the certificates in {certificates} cannot be read"
        return problem, f"Correct {certificates}, or unset it."
    return None
