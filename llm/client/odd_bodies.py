"""Answers in bodies that are no plain JSON, as some servers send them."""

from __future__ import annotations

import json
import re
from typing import Any

from ..text.json_values import is_list, is_object
from .openai_messages import decoded
from .oversized import refuse_oversized

_CHARSETS = frozenset({"iso-8859-1", "latin-1", "windows-1252", "cp1252"})
_LATIN = "cp1252"
"""What is written by servers that say Latin-1."""
_BLANK = re.compile(r"[\s\0]*+")
_DECODER = json.JSONDecoder(strict=False)
_DONE = "[DONE]"
_MOST = 3
"""Objects in a body that are looked at."""


def body_in(content: bytes, strict: Any, charset: str | None = None) -> Any:
    """Return the answer or the error that a body holds, if it is no plain JSON.

    Some servers leave control signs in texts, write in Latin-1, encode their JSON twice, or send it
    twice. Where anything else stands behind an answer, it may be a part of another.

    Args:
        content: The body.
        strict: What it says as JSON, which is returned where nothing else can be read.
        charset: How its server says that it is written.

    Raises:
        RemoteProtocolError: It cannot be read in no time.
    """
    if is_object(strict) or is_list(strict):
        return strict
    body: Any = None
    if isinstance(strict, str):
        refuse_oversized(strict.encode(errors="replace"))
        body = decoded(strict)
    elif strict is None:
        try:
            body = _only_object(_text(content, charset))
        except ValueError:
            return None
    return body if is_object(body) and (body.get("error") or _is_whole(body)) else strict


def _text(content: bytes, charset: str | None) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if (charset or "").lower() not in _CHARSETS:
            raise  # else a title in any other script would be read as another
        return content.decode(_LATIN)


def _only_object(text: str) -> Any:
    """Return the object that a text holds, once or more often; an error if one is behind it.

    Raises:
        ValueError: It holds anything else.
    """
    first, end = _value_at(text, _past_blanks(text, 0))
    for _ in range(_MOST):
        end = _past_blanks(text, end)
        if text.startswith(_DONE, end):
            end = _past_blanks(text, end + len(_DONE))
        if end == len(text):
            return first
        other, end = _value_at(text, end)
        if is_object(other) and other.get("error"):
            return other
        if other != first:
            break
    raise ValueError(end)


def _value_at(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise ValueError(at) from error


def _past_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _is_whole(body: dict[str, Any]) -> bool:
    """Whether an object is a whole answer, and no part of a stream."""
    choices: Any = body.get("choices")
    listed = choices if is_list(choices) else []
    parts = any(is_object(one) and "delta" in one and not one.get("message") for one in listed)
    return "choices" in body and not parts and "chunk" not in str(body.get("object"))
