"""Which requests need a key, and which key a request carries."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from ..settings import get_settings

_FORWARDED = frozenset({b"forwarded", b"via", b"cdn-loop", b"client-ip", b"wl-proxy-client-ip"})
_FORWARDED_PREFIXES = (
    *(b"x-forward", b"x-real", b"x-original", b"x-proxy", b"x-client", b"x-cluster", b"x-remote"),
    *(b"x-host", b"x-envoy", b"x-amz", b"x-arr-", b"x-azure", b"x-appengine", b"x-cloud"),
    *(b"true-client", b"cf-", b"fastly-", b"fly-", b"ngrok-", b"incap-", b"akamai-"),
)
"""Headers that proxies, tunnels and content networks add."""


def key_of(scope: Mapping[str, Any]) -> str | None:
    """Return the key that a request carries, as a bearer token or as `x-api-key`.

    Args:
        scope: The request's.
    """
    headers = _headers(scope)
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.casefold() == "bearer" and token:
        return token.strip()
    sent = headers.get(b"x-api-key")
    return None if sent is None else sent.decode("latin-1").strip()


def header_sent_twice(scope: Mapping[str, Any]) -> str | None:
    """Return the header of a key that a request has more than once, with different values.

    A proxy before the server may read the other one.

    Args:
        scope: The request's.
    """
    for shown, name in (("Authorization", b"authorization"), ("x-api-key", b"x-api-key")):
        if len({value.strip() for given, value in _pairs(scope) if given == name}) > 1:
            return shown
    return None


def asks_for_key(scope: Mapping[str, Any]) -> bool:
    """Whether a request needs a key.

    A request needs none if a program or a page on this machine sends it to a server that listens
    only on this machine.

    Args:
        scope: The request's.
    """
    if get_settings().require_keys or serves_others():
        return True
    if _comes_from_elsewhere(scope):
        return True
    ends = (scope.get("server"), scope.get("client"))
    return not all(end and is_loopback(str(end[0])) for end in ends)


def _comes_from_elsewhere(scope: Mapping[str, Any]) -> bool:
    """Whether a proxy, a tunnel or a website sends the request through this machine.

    A browser names the page that sends a request, and `Host` has a name that was rebound to this
    machine.
    """
    for name, value in _pairs(scope):
        if name in _FORWARDED or name.startswith(_FORWARDED_PREFIXES):
            return True
        text = value.decode("latin-1").strip().lower()
        if name == b"host" and not is_loopback(_host_of(f"//{text}")):
            return True
        if name == b"origin" and not _is_allowed_origin(text):
            return True
        # A page that hides its origin still says that it is foreign.
        if name == b"sec-fetch-site" and text == "cross-site" and not _names_origin(scope):
            return True
    return False


def _names_origin(scope: Mapping[str, Any]) -> bool:
    return any(name == b"origin" for name, _ in _pairs(scope))


def _is_allowed_origin(origin: str) -> bool:
    return origin in allowed_origins() or (
        origin.startswith(("http://", "https://")) and is_loopback(_host_of(origin))
    )


def allowed_origins() -> list[str]:
    """Return the web pages that may call a server without a key, besides those of this machine."""
    named = get_settings().allowed_origins.split(",")
    return [origin.strip().rstrip("/").lower() for origin in named if origin.strip()]


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def is_loopback_call(scope: Mapping[str, Any]) -> bool:
    """Whether the server calls itself: under a root path that no client can send.

    Args:
        scope: The request's.
    """
    return str(scope.get("root_path", "")).startswith("/noauth")


def serves_others() -> bool:
    """Whether the server is known to listen on an address other than loopback, or on a tunnel."""
    # `langgraph dev` sets it before it loads anything of ours; a tunnel's address is in it, too.
    url = os.environ.get("LANGGRAPH_API_URL")
    return bool(url) and not is_loopback(urlsplit(url).hostname or "")


def _pairs(scope: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    pairs = cast("list[tuple[bytes, bytes]]", scope.get("headers") or [])
    return [(name.lower(), value) for name, value in pairs]


def _headers(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    return dict(_pairs(scope))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone.

    Args:
        host: A name or an address.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
