"""What can be told of a request before anybody answers it: where it comes from, and its key."""

from __future__ import annotations

import ipaddress
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, cast
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import get_settings

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"cf-connecting-ip")

_named: ContextVar[frozenset[uuid.UUID]] = ContextVar("_named", default=frozenset())


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


def asks_for_key(scope: Mapping[str, Any]) -> bool:
    """Whether a request needs a key: unless it was sent on this machine, to a server for it alone.

    Args:
        scope: The request's.
    """
    if get_settings().require_keys or serves_others():
        return True
    # A proxy or a tunnel on this machine speaks for others.
    if any(name in _headers(scope) for name in _FORWARDED):
        return True
    ends = (scope.get("server"), scope.get("client"))
    return not all(end and _is_loopback(str(end[0])) for end in ends)


def serves_others() -> bool:
    """Whether the server is known to listen on another address than loopback, or by a tunnel."""
    # `langgraph dev` sets it before it loads anything of ours; a tunnel's address stands in it too.
    url = os.environ.get("LANGGRAPH_API_URL")
    return bool(url) and not _is_loopback(urlsplit(url).hostname or "")


def was_named(id_: object) -> bool:
    """Whether the present request itself names an id, which a server-made one cannot be.

    Args:
        id_: Of a thread; `None` is none.
    """
    return id_ is not None and uuid.UUID(str(id_)) in _named.get()


def _headers(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    return dict(cast("list[tuple[bytes, bytes]]", scope.get("headers") or []))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class NotesNamedIds:
    """Notes the ids that a request names, for `was_named`.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request's body, note its ids, and hand it on."""
        # The server calls itself under a root path that no client can send; such a call names ids
        # of the server's own, beside those of the request that it serves.
        within = scope.get("root_path", "").startswith("/noauth")
        if scope["type"] == "lifespan" or within or key_of(scope) is None:
            await self._app(scope, receive, send)
            return
        parts: list[Message] = []
        if scope["type"] == "http":
            while not parts or (parts[-1]["type"] == "http.request" and parts[-1].get("more_body")):
                parts.append(await receive())
        texts = [*cast("str", scope["path"]).split("/")]
        texts += _texts(b"".join(part.get("body", b"") for part in parts))
        _named.set(frozenset(_ids(texts)))

        async def replay() -> Message:
            return parts.pop(0) if parts else await receive()

        await self._app(scope, replay, send)


def _texts(body: bytes) -> Iterator[str]:
    """Yield every text of a JSON document, also of keys that stand in it twice."""
    try:
        document: Any = json.loads(body, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return
    waiting = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, list | tuple):
            waiting.extend(cast("list[Any]", found))


def _ids(texts: Iterable[str]) -> Iterator[uuid.UUID]:
    for text in texts:
        for part in {text, *text.split(":")}:  # a task of A2A is called thread:run
            try:
                yield uuid.UUID(part)
            except ValueError:
                continue
