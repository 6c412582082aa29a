"""What reaches the MCP server over HTTP, and what its log may say of it."""

from __future__ import annotations

import logging
import re
import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any

import mcp
import orjson
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..llm.text.json_values import is_object

_FOLDER = str(Path(mcp.__file__).parent)
_PARSE_ERROR, _INVALID_REQUEST = -32700, -32600
"""Of JSON-RPC."""
_BAD_REQUEST, _UNPROCESSABLE = 400, 422
_FLOAT_ID = re.compile(r'"id"\s{0,9}:\s{0,9}-?[0-9]{1,20}[.eE]')
_ANY_TYPE = re.compile(r"(?:^|[,\s])(?:\*|application)/\*")
"""Media types of JSON among others."""
_ACCEPT = b"accept"


class StrictMessages:
    """Refuses what is no strict JSON: too large, too deep, or with text that is no Unicode.

    Opens no stream: the server says nothing unasked, and each would stay open forever. Clients that
    say with other words than the protocol's that they read JSON are read as well.

    Args:
        app: The transport behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a message, and hand it on or refuse it."""
        from .api.problems import ProblemError  # noqa: PLC0415  # of an extra
        from .api.strict_routes import StrictRequest  # noqa: PLC0415

        if scope["method"] != "POST":
            status = HTTPStatus.METHOD_NOT_ALLOWED
            await Response(status_code=status, headers={"allow": "POST"})(scope, receive, send)
            return
        request = StrictRequest(scope, receive)
        try:
            document = await request.json()
        except ProblemError as problem:
            status = _BAD_REQUEST if problem.status_code == _UNPROCESSABLE else problem.status_code
            await _refusal(status, _INVALID_REQUEST, problem.detail)(scope, receive, send)
            return
        except ValueError:
            await _refusal(_BAD_REQUEST, _PARSE_ERROR, "The body is no JSON.")(scope, receive, send)
            return
        if isinstance(document, list):
            told = "Send one message a request: this server takes no batches."
            await _refusal(_BAD_REQUEST, _INVALID_REQUEST, told)(scope, receive, send)
            return
        if not _has_known_id(document):
            told = "The id of a request is a text or a whole number."
            await _refusal(_BAD_REQUEST, _INVALID_REQUEST, told)(scope, receive, send)
            return
        body = await request.body()
        # The id 1.0 is 1; the transport would never answer it.
        if _FLOAT_ID.search(body.decode("latin-1")):
            body = orjson.dumps(document)
        waiting: list[Message] = [{"type": "http.request", "body": body}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(_accepting(scope), replay, send)


def _has_known_id(document: Any) -> bool:
    """Return whether a message can be answered, or asks for no answer.

    Args:
        document: From strict JSON, in which 1.0 is 1.
    """
    if not is_object(document) or "id" not in document or "method" not in document:
        return True  # such as a notification
    given = document["id"]
    return isinstance(given, str | int) and not isinstance(given, bool)


def _accepting(scope: Scope) -> Scope:
    """Return a request that says that it accepts JSON, if it accepts any type."""
    given = [value for name, value in scope["headers"] if name == _ACCEPT]
    accepted = b", ".join(given).decode("latin-1").strip()
    if accepted and not _ANY_TYPE.search(accepted):
        return scope
    others = [header for header in scope["headers"] if header[0] != _ACCEPT]
    return {**scope, "headers": [*others, (_ACCEPT, b"application/json, text/event-stream")]}


def _refusal(status: int, code: int, message: str) -> JSONResponse:
    error = {"code": code, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status)


class _Reduced(logging.Filter):
    """Reduces what the package `mcp` logs to where it did: it quotes whole messages of clients."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.pathname.startswith(_FOLDER):
            kind = ""
            if record.exc_info and record.exc_info[0]:
                kind = f": {record.exc_info[0].__name__}"
                record.exc_text = "".join(traceback.format_tb(record.exc_info[2]))
                record.exc_info = None
            place = Path(record.pathname).relative_to(_FOLDER)
            record.msg, record.args = f"mcp: {place} line {record.lineno}{kind}", ()
        return True


_REDUCED = _Reduced()


def reduce_log() -> None:
    """Keep what clients send over MCP out of the log; to do so twice changes nothing."""
    # A filter sees only what is logged with its own logger, and some is with the root's.
    loggers = [name for name in logging.root.manager.loggerDict if name.startswith("mcp")]
    for name in ("", *loggers):
        logging.getLogger(name or None).addFilter(_REDUCED)
