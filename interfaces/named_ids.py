"""Notes the ids that a request names, to tell them from those that the server makes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, cast

import orjson
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .key_rules import is_loopback_call, key_of
from .large_numbers import TOO_LARGE, place_of_large_number

_PASSED_ON = ("/mcp", "/a2a")
"""Paths for which the server sends itself a part of the body in a separate request."""
_HIDES = "The body holds a number or text that JSON cannot carry, or is nested too deeply."
_LARGEST_BODY = 16 * 2**20
"""Most bytes of a request with a key, which is in memory as a whole."""

_MOST_BRACKETS = 200_000
"""Most brackets in such a body, also in its texts: making an object of each takes a microsecond."""
_SHORTEST_ID = 32
"""Digits of a UUID; trying all shorter texts of a large body would take seconds."""

_named: ContextVar[frozenset[uuid.UUID]] = ContextVar("_named", default=frozenset())


def was_named(id_: object) -> bool:
    """Whether the current request itself names an id; if so, the server did not make that id.

    Args:
        id_: The id of a thread; `None` is none.
    """
    return id_ is not None and uuid.UUID(str(id_)) in _named.get()


class NotesNamedIds:
    """Notes the ids that a request names, for `was_named`.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request's body, note its ids, and hand it on."""
        # What the server asks of itself names ids of its own, beside those of the request.
        within = is_loopback_call(scope)
        passed_on = scope["type"] == "http" and scope["path"].startswith(_PASSED_ON)
        keyless = scope["type"] != "lifespan" and key_of(scope) is None
        if scope["type"] == "lifespan" or within or (keyless and not passed_on):
            await self._app(scope, receive, send)
            return
        parts: list[Message] = []
        size = 0
        if scope["type"] == "http":
            while not parts or (parts[-1]["type"] == "http.request" and parts[-1].get("more_body")):
                parts.append(await receive())
                size += len(parts[-1].get("body", b""))
                if size > _LARGEST_BODY:
                    detail = f"The body is larger than {_LARGEST_BODY:,} bytes."
                    await JSONResponse({"detail": detail}, 413)(scope, receive, send)
                    return
        body = b"".join(part.get("body", b"") for part in parts)
        if body.count(b"{") + body.count(b"[") > _MOST_BRACKETS:
            detail = f"The body has more than {_MOST_BRACKETS:,} lists and objects."
            await JSONResponse({"detail": detail}, 400)(scope, receive, send)
            return
        texts = _texts(body)
        detail = _why_not_passed_on(body) if passed_on else None
        if texts is None or detail is not None:
            detail = detail or _HIDES
            await JSONResponse({"detail": detail}, 400)(scope, receive, send)
            return
        _named.set(frozenset(_ids([*cast("str", scope["path"]).split("/"), *texts])))

        async def replay() -> Message:
            return parts.pop(0) if parts else await receive()

        await self._app(scope, replay, send)


def _why_not_passed_on(body: bytes) -> str | None:
    """Say why LangGraph would answer 500: it reads `params`, and writes again what it reads."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if TOO_LARGE in error.msg:
            return f"{place_of_large_number(body)}: The number is too large."
    try:
        document: Any = json.loads(body)
        if isinstance(document, dict) and _lacks_params(cast("dict[str, Any]", document)):
            return "params: It must be a JSON object."
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        place = place_of_large_number(body, whole=True)
        return _HIDES if place == "body" else f"{place}: The number is too large."
    except (ValueError, RecursionError):
        pass  # no JSON, as the server says itself
    return None


def _lacks_params(message: Mapping[str, Any]) -> bool:
    return not isinstance(message.get("params", {}), dict)


def _texts(body: bytes) -> list[str] | None:
    """Return every text of a JSON document, also of keys that are in it twice.

    `None` where the server could read a document that we cannot, such as a very deep one.
    """
    try:
        document: Any = json.loads(body, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None if _is_json(body) else []
    waiting, texts = [document], list[str]()
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            texts.append(found)
        elif isinstance(found, list | tuple):
            waiting.extend(cast("list[Any]", found))
    return texts


def _is_json(body: bytes) -> bool:
    """Whether the server's own parser takes it."""
    try:
        orjson.loads(body)
    except ValueError:
        return False
    return True


def _ids(texts: Iterable[str]) -> Iterator[uuid.UUID]:
    for text in texts:
        if len(text) < _SHORTEST_ID:
            continue
        # A task of A2A is called thread:run.
        parts = [part for part in text.split(":") if len(part) >= _SHORTEST_ID]
        for part in {text, *parts}:
            try:
                yield uuid.UUID(part)
            except ValueError:
                continue
