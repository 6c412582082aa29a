"""What the environment says of the network, where it keeps a model's server from being asked.

Libraries read these variables, and mostly not for us: a proxy that only browsers need may stand
before a server on this machine, and errors name neither the variable nor the proxy.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_KINDS = ("http", "https", "all")
"""The proxies that HTTP clients take; other variables that end in `_PROXY` mean nothing to them."""
_OPENAI = "openai"
_OPENAI_PROXY = "OPENAI_PROXY"
_SOCKS = "socks"
_SOCKS_PACKAGE = "socksio"
"""The package without which httpx speaks to no such proxy."""


def proxy_told(error: BaseException, url: str) -> str:
    """Return what to say of the proxy that may stand before a server; empty if there is none.

    Whether it does stand there only the client knows: each reads `NO_PROXY` in a way of its own.

    Args:
        error: What a provider's package raised over the request.
        url: The address that was asked; empty if it is unknown.
    """
    may = "The request may have gone through the proxy in"
    # For the package `openai`, LangChain puts this proxy in place of all others.
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    if _OPENAI in packages and os.environ.get(_OPENAI_PROXY):
        return f"{may} {_OPENAI_PROXY}, whatever NO_PROXY says"
    name = _proxy_before(url) if url else ""
    return f"{may} {name}; NO_PROXY names hosts to ask directly" if name else ""


def _proxy_before(url: str) -> str:
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
    if isinstance(error, ImportError) and _SOCKS_PACKAGE in str(error):
        proxies = _named(n for n, value in _proxies().items() if value.lower().startswith(_SOCKS))
        if not proxies:
            return None
        remedy = f"Install the package {_SOCKS_PACKAGE} in the environment of re2llm, or unset "
        return f"a SOCKS proxy is set in {proxies}", f"{remedy}{proxies}."
    if type(error).__name__ == "InvalidURL" or "proxy" in str(error).lower():
        proxies = _named(name for name, value in _proxies().items() if not _is_proxy(value))
        if proxies:
            remedy = f"Write it as http://user:password@host:port, or unset {proxies}."
            return f"{proxies} cannot be read as the address of a proxy", remedy
    certificates = next((name for name in _CERTIFICATES if os.environ.get(name)), "")
    if isinstance(error, OSError) and certificates and not _can_be_read(certificates):
        problem = f"the certificates in {certificates} cannot be read"
        return problem, f"Correct {certificates}, or unset it."
    return None


def _proxies() -> dict[str, str]:
    """Return the addresses of proxies by their variables, as clients read them."""
    given = getproxies_environment()
    found = {f"{kind.upper()}_PROXY": given[kind] for kind in _KINDS if given.get(kind)}
    found = {name: url if "://" in url else f"http://{url}" for name, url in found.items()}
    own = os.environ.get(_OPENAI_PROXY)
    return {**found, _OPENAI_PROXY: own} if own else found


def _named(names: Iterable[str]) -> str:
    return " or ".join(names)


def _is_proxy(url: str) -> bool:
    import httpx  # noqa: PLC0415  # only after an error

    try:
        httpx.Proxy(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return True


def _can_be_read(variable: str) -> bool:
    place = os.environ[variable]
    try:
        if variable == _CERTIFICATES[0]:
            ssl.create_default_context(cafile=place)
        else:
            list(Path(place).iterdir())
    except OSError:  # `SSLError` is one
        return False
    return True
