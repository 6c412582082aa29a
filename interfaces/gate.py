"""The outermost check of every request to a server, before any route is looked up.

The LangGraph server consults `auth` only for some of its routes. Routes that this module does not
know are answered as if they did not exist, so a route that a later version adds is closed until it
is named here.
"""

from __future__ import annotations

import logging
from functools import partial
from urllib.parse import unquote

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Re2llmError
from ..knowledge.access.keys import PREFIX
from ..runtime.caller import Caller
from .api.limits import claim
from .api.problems import (
    RETRY_AFTER,
    Problem,
    ProblemError,
    no_such_route,
    problem_of,
    problem_response,
)
from .auth import CHECKED, OPEN, caller_with
from .key_rules import asks_for_key, header_sent_twice, is_loopback_call, key_of
from .late_bodies import LateBody
from .long_answers import while_key_works
from .web.addresses import is_open, is_page
from .web.browsers import caller_of_browser, keep_own_cookies
from .web.errors import problem_page

_log = logging.getLogger(__name__)

_OPEN = frozenset({"", "ok", "healthz", "readyz"})
"""Health checks, which reveal nothing."""
_CHECKED = frozenset({"console", "docs", "info", "metrics", "openapi.json", "v1"})
"""Routes that the server's `auth` does not cover, or that are the same on a server without it."""
_MOST_LAYERS = 4
"""Most escapes within escapes in a path: reading any number would take quadratic time."""
_GUARDED = frozenset(
    {".well-known", "a2a", "assistants", "mcp", "re2llm", "runs", "store", "threads"}
)
"""Routes that `auth` covers."""
_BATCH = ["runs", "batch"]
_METRICS = "metrics"
_REFUSALS = (ProblemError, Re2llmError, OSError, SQLAlchemyError)
_NOT_KEPT = {"cache-control": "no-store"}
"""Forbids storing: a cache in front of the server may know answers only by their address, but each
key has its own."""


class Gate:
    """Closes the routes that a server would answer for anyone.

    Args:
        app: The application behind it.
        alone: Whether there is no LangGraph server behind it, so that no other check follows.
        public: Whether the server listens on an address that other machines can reach.
    """

    def __init__(self, app: ASGIApp, *, alone: bool = False, public: bool = False) -> None:
        self._app = app
        self._alone = alone
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if self._alone and scope["type"] == "http":
            send = _with_defaults(send, _NOT_KEPT)
        requested = scope["type"] in {"http", "websocket"}
        if requested:
            keep_own_cookies(scope)
        if requested and (self._alone or not is_loopback_call(scope)):
            try:
                headers = await self._check(scope)
            except _REFUSALS as error:
                await _refuse(_refusal_of(error), scope, receive, send)
                return
            if headers:
                send = _with_headers(send, headers)
            if scope.get(CHECKED) is not None:
                send = while_key_works(send, partial(_works, scope))
                late = LateBody(receive, send, partial(_refused_by_now, scope, receive))
                await late.pass_to(self._app, scope)
                return
        await self._app(scope, receive, send)

    async def _check(self, scope: Scope) -> dict[str, str]:
        """Note the caller in the scope, and return the headers for the response.

        Raises:
            ProblemError: The request is refused.
        """
        segments = _segments(scope)
        first = segments[0] if segments else ""
        if ".." in segments or first not in _OPEN | _CHECKED | _GUARDED:
            raise no_such_route(scope)
        if first in _OPEN or is_open(scope):
            scope[CHECKED], scope[OPEN] = None, True
            return {}
        twice = header_sent_twice(scope)
        if twice is not None:
            problem = f"There are different headers `{twice}`."
            raise ProblemError(400, problem, remedy="Send the key once.")
        key = key_of(scope)
        caller = await _caller_of(scope)
        if caller is None and (self._alone or first in _CHECKED):
            self._require_none(scope, key)
        if caller is not None and segments[:2] == _BATCH:
            # It would count as one request, and one run that is refused leaves the others hanging.
            raise ProblemError(403, "A key cannot send runs in a batch.", remedy="Send them alone.")
        if caller is not None and scope["type"] == "websocket":
            # It would count as one request, whatever is sent in it, and outlive its key.
            raise ProblemError(403, "A key cannot open a WebSocket.", remedy="Send requests.")
        if caller is not None and first == _METRICS and _METRICS not in caller.grants.may:
            # They count what all owners ask for and spend.
            raise ProblemError(
                403,
                "This key may not read the metrics.",
                type="urn:re2llm:not_granted",
                field="key",
                remedy="`re2llm keys create OWNER --domain DOMAIN --may metrics` makes one.",
            )
        scope[CHECKED] = caller
        if self._alone:
            nobody = {"identity": "", "domains": None}
            scope["user"] = nobody if caller is None else caller.as_user()
        return {} if caller is None else await claim(caller)

    def _require_none(self, scope: Scope, key: str | None) -> None:
        """Make sure that a request may come without a key that works."""
        if self._public or asks_for_key(scope) or (key or "").startswith(PREFIX):
            raise _no_key()


async def _caller_of(scope: Scope) -> Caller | None:
    """Return whose key, or whose session of the console, a request carries."""
    key = key_of(scope)
    if key is not None:
        return await caller_with(key)
    return await caller_of_browser(scope) if is_page(scope) else None


async def _works(scope: Scope) -> bool:
    return await _caller_of(scope) is not None


async def _refused_by_now(scope: Scope, receive: Receive, send: Send) -> bool:
    """Refuse a request whose key no longer works; return whether it was refused."""
    try:
        if await _works(scope):
            return False
        raise _no_key()
    except _REFUSALS as error:
        await _refuse(_refusal_of(error), scope, receive, send)
    return True


def _no_key() -> ProblemError:
    return ProblemError(
        401,
        "Send an API key that works.",
        {"www-authenticate": "Bearer"},
        remedy="Send it as `Authorization: Bearer …`; `re2llm keys create` makes one.",
    )


def _refusal_of(error: Exception) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    _log.warning("a key cannot be checked: %s", type(error).__name__)
    later = {"retry-after": str(RETRY_AFTER)}
    return ProblemError(503, "The key cannot be checked. Try again later.", later)


async def _refuse(refusal: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    answer = problem_page if is_page(scope) else _plain
    await answer(*problem_of(refusal, scope), scope)(scope, receive, send)


def _plain(problem: Problem, headers: dict[str, str], scope: Scope) -> Response:
    del scope
    return problem_response(problem, headers)


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return answer


def _with_defaults(send: Send, headers: dict[str, str]) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent = MutableHeaders(scope=message)
            for name, value in headers.items():
                sent.setdefault(name, value)
        await send(message)

    return answer


def _segments(scope: Scope) -> list[str]:
    """Return the parts of a path, whatever slashes and escapes it is written with.

    Raises:
        ProblemError: Its escapes are escaped too often.
    """
    path: str = scope["path"]
    path = path.removeprefix(scope.get("root_path", ""))
    for _ in range(_MOST_LAYERS):
        if (plain := unquote(path)) == path:
            break
        path = plain
    else:
        raise ProblemError(404, "There is no such route.")
    return [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
