"""A provider's own words about a failure, short and without anything secret in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..text.json_values import is_list, is_object, plain_name
from .secret_forms import HIDDEN, without_secrets

LONGEST = 200
"""Characters of a provider's words that are shown."""
_MOST_READ = 4_000
_DEEPEST, _MOST_ENTRIES = 5, 3
_KEYS = (
    *("message", "msg", "detail", "details", "error", "errors", "errordescription", "statusmsg"),
    *("reason", "errormessage", "errormsg", "errmsg", "faultstring", "returnmsg", "description"),
    *("exception", "err", "fault"),
)
"""Keys that hold the message of an error, letters alone: `errorMessage`, `err_msg`."""
_AROUND = ("title", "baseresp", "choices", "response", "data", "status")
"""Keys that may hold an object with one of those."""
CRASHES = ("traceback", "stacktrace", "stack", "excmessage", "exctype")
"""Keys that hold the traceback of a crash."""
_TAG = re.compile(r"<[^<>]{0,200}>")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


def error_body(error: BaseException) -> Any:
    """Return what a server sent with an error, decoded if it is JSON; `None` if that is unknown.

    Args:
        error: The error as a provider's package raised it.
    """
    body = getattr(error, "body", None)
    if body is None:
        # LangChain raises the error of a body as the argument of a `ValueError`.
        body = next((arg for arg in error.args if is_object(arg)), None)
    if body is None:
        try:
            body = str(getattr(getattr(error, "response", None), "text", None) or "") or None
        except Exception:  # noqa: BLE001  # the text of a stream that was not read
            body = None
    return _decoded(body) if isinstance(body, str) else body


def error_words(body: Any, secrets: Sequence[str] = ()) -> str:
    """Return the words in an error's body, whatever its form; empty if there are none.

    Args:
        body: The body from `error_body`.
        secrets: As for `shown`.
    """
    parts = dict.fromkeys(part for part in _parts(body) if part.strip())
    return shown(" ".join(parts), secrets)


def shown(text: str, secrets: Sequence[str] = ()) -> str:
    """Return a provider's text as one line of at most 200 characters, without secrets.

    Args:
        text: What it said.
        secrets: The secrets that it was sent; others are known by their form.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _UNPRINTABLE.sub(" ", _TAG.sub(" ", text[:_MOST_READ])).strip()
    text = without_secrets(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}{HIDDEN}"


def last_line(body: Mapping[str, Any]) -> str:
    """Return what a program said last that crashed and sent its traceback; empty if none did.

    Args:
        body: The body, with its keys as `plain_name` makes them.
    """
    told = next((body[name] for name in CRASHES if body.get(name)), "")
    if is_list(told):
        told = told[-1]
    return str(told).strip().rpartition("\n")[2].strip()


def _parts(value: Any, depth: int = 0) -> list[str]:
    if depth > _DEEPEST:
        return []
    if isinstance(value, str):
        decoded = _decoded(value)
        return [value] if isinstance(decoded, str) else _parts(decoded, depth + 1)
    if is_list(value):
        return [part for one in value[:_MOST_ENTRIES] for part in _parts(one, depth + 1)]
    if not is_object(value):
        return []
    named = {plain_name(key): held for key, held in value.items() if held}
    keys = [key for key in _KEYS if key in named] or [key for key in _AROUND if key in named]
    parts = [part for key in keys[:2] for part in _parts(named[key], depth + 1)]
    parts = parts or [last_line(named)]
    if is_list(value.get("loc")):
        # A validation error of FastAPI: the words mean nothing without the field's name.
        parts = [f"{'.'.join(map(str, value['loc']))}: {' '.join(parts)}"]
    raw = value.get("metadata")  # where OpenRouter passes on what the server behind it said
    return [*parts, *(_parts(raw.get("raw"), depth + 1) if is_object(raw) else [])]


def _decoded(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text[:100_000])
    except (ValueError, RecursionError):
        return text
