"""Errors that servers send with the status 200: each becomes the HTTP error that it is."""

from __future__ import annotations

import re
from typing import Any

import httpx
import orjson

from ..text.json_values import is_list, is_object, plain_name
from .echoes import without_echo
from .error_words import CRASHES, last_line
from .finish_reasons import is_failure
from .http_errors import as_status

_OK = 200
_CLIENT_ERROR = 400
_UNKNOWN, _OVERLOADED = 500, 503
_LARGEST = 5_000_000
"""Bytes of an answer that are searched."""
_KINDS: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (status, re.compile(words, re.IGNORECASE))
    for status, words in (
        (400, r"content.?(?:filter|policy|moderation)|data.?inspection|inappropriate.content"),
        (400, r"\bnew_sensitive\b"),
        (429, r"(?:rate|request).?limit.(?:is |was )?(?:reached|exceed)|too.many.requests"),
        (402, r"insufficient.?(?:quota|credit|balance|funds)|credits?\b|billing|payment|quota"),
        (402, r"\u4f59\u989d|\u6b20\u8d39"),  # "balance", "in arrears"
        (429, r"rate.?limit|too.many.requests|throttl|resource.?exhausted|request.?limit"),
        (429, r"\blimitexceeded|\u9891\u7e41|\u9650\u6d41"),  # "frequent", "limited flow"
        (401, r"(?:api|access).?(?:secret.?)?key|unauthori[sz]ed|authenticat|credential"),
        (401, r"invalid.?(?:token|key)|token.(?:is.)?(?:invalid|expired)|secret.?key"),
        (401, r"\b(?:log|sign).?in.(?:fail|required|expired)|not.(?:logged|signed).in"),
        (401, r"\u9274\u6743|\u8ba4\u8bc1|\u8eab\u4efd\u9a8c\u8bc1"),  # "authentication"
        (403, r"permission|forbidden|not.authori[sz]ed|not.allowed.to|access.?denied"),
        (404, r"not.?found|(?:no.such|unknown).model|does.not.exist|unexpected.endpoint"),
        (504, r"time.?out|timed.out|deadline"),
        (503, r"overload|unavailable|capacity|try.again|busy|\bloading\b"),
        (400, r"invalid|bad.request|unsupported|not.support|context.length|too.long|required"),
    )
)
"""Words by which an error without a number says what it is; the first that fits counts."""
ASKS = ("/completions", "/responses")
"""Paths that questions are sent to."""
_EXPLAINS = (
    *("error", "errors", "detail", "message", "msg", "baseresp", "errormsg", "errormessage"),
    *("fault", "failure", "errmsg", "err", "exception", "title", "reason", "description"),
    *("returnmsg", "errordescription"),
)
_STATUSES = (
    *("code", "status", "statuscode", "httpstatus", "httpstatuscode", "errorcode", "errcode"),
    "httpcode",
)
"""Keys of a status, with nothing but small letters: `errorCode`, `error_code`."""
_WELL, _STATES = ("success", "ok", "succeeded"), ("status", "result", "type", "object")
_FAILED = frozenset({"error", "fail", "failed", "failure"})
_WRAPPERS = ("data", "response", "result", "body", "status", "meta")
_DEEPEST = 3


async def reveal(response: httpx.Response) -> None:
    """Give a response that hides an error the status that it should have had.

    Args:
        response: Not read yet; a stream of events is left alone.
    """
    if not response.request.url.path.endswith(ASKS):
        return  # a batch that has failed tells of its errors, too
    if response.status_code != _OK or "event-stream" in response.headers.get("content-type", ""):
        return
    content = await response.aread()
    if len(content) > _LARGEST:
        return
    try:
        body = orjson.loads(content)
    except ValueError:
        return
    response.status_code = hidden_status(body) or _OK


def hidden_status(body: Any) -> int | None:
    """Return the status of the error that a body holds, or `None` if it holds none."""
    if is_list(body) and len(body) == 1:
        body = body[0]  # as Gemini does
    if not is_object(body):
        return None
    body = _plain(body)
    choices: Any = body.get("choices")
    if body.get("error"):
        return _status_of(body if body["error"] is True else body["error"])
    if is_list(choices) and choices:
        return _status_of_choice(choices[0])
    if is_list(body.get("output")) and body["output"]:
        return None
    # Without a choice it is an answer without an answer, which is told apart from an error.
    told = next((body[name] for name in _EXPLAINS if body.get(name)), None)
    crash = last_line(body)
    # The lines of code in a traceback may speak of keys and limits.
    body = {name: value for name, value in body.items() if name not in CRASHES}
    if told is None and crash:
        told = body["error"] = crash
    if told is None:
        wrapped = (hidden_status(body.get(name)) for name in _WRAPPERS)
        return next(filter(None, wrapped), None) or (_status_of(body) if _failed(body) else None)
    inner = _status_of(told) if is_list(told) or is_object(told) else _UNKNOWN
    return _status_of(body) if inner == _UNKNOWN else inner


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {plain_name(key): value for key, value in body.items()}


def _failed(body: dict[str, Any]) -> bool:
    """Whether a body says that it is an error, without a word of what went wrong."""
    well = (body.get(name) for name in _WELL)
    states = (str(body.get(name)).lower() for name in _STATES)
    return (
        any(value is False or str(value).lower() == "false" for value in well)
        or not _FAILED.isdisjoint(states)
        or _number(body) is not None
    )


def _number(body: dict[str, Any]) -> int | None:
    statuses = (as_status(body.get(name)) for name in _STATUSES)
    return next((one for one in statuses if one is not None and one >= _CLIENT_ERROR), None)


def _status_of_choice(choice: Any) -> int | None:
    if not is_object(choice):
        return None
    if choice.get("error"):
        return _status_of(choice["error"])
    reason = choice.get("finish_reason")
    if not is_failure(reason):
        return None
    return _UNKNOWN if reason == "error" else _OVERLOADED


def _status_of(error: Any, depth: int = 0) -> int:
    if is_list(error) and error:
        error = error[0]
    if is_object(error):
        plain = _plain(error)
        status = _number(plain)
        if status is not None:
            return status
        inner: Any = plain.get("error")
        if is_object(inner) and depth < _DEEPEST:
            return _status_of(inner, depth + 1)
        kind = " ".join(
            str(plain.get(name) or "") for name in ("code", "type", "status", "errorcode", "title")
        )
        return _by_words(kind) or _by_words(str(without_echo(error))[:2_000]) or _UNKNOWN
    return _by_words(str(without_echo(error))[:2_000]) or _UNKNOWN


def _by_words(said: str) -> int | None:
    return next((status for status, words in _KINDS if words.search(said)), None)
