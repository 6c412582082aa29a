"""A message, or a part of one, as OpenAI's servers write it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import orjson

from ..text.json_values import is_list, is_object, is_one_of

_TEXTS = ("id", "name")
_TEXT_PARTS = frozenset({None, "text", "output_text"})
_LAYERS = 3
"""How often arguments are encoded at most."""
_BARE = "arguments"
"""The name of arguments that came without names."""


def decoded(content: bytes | str) -> Any:
    """Return what JSON says; `None` if it is none, or `null`."""
    try:
        return orjson.loads(content)
    except ValueError:
        pass
    try:
        return json.loads(content)  # halves of surrogate pairs, and infinite log-probabilities
    except (ValueError, RecursionError):
        return None


def usual_message(message: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """Return a message of a model in the usual form.

    Args:
        message: Decoded JSON, which is not changed.
        whole: Whether it is no part of a stream, whose texts go on in the next one.
    """
    made = {key: value for key, value in message.items() if key not in _TEXTS or is_text(value)}
    if whole or "role" in made:
        made["role"] = "assistant"  # whatever its server calls the one who answers
    if "content" in made:
        made["content"] = _content(made["content"])
    calls: Any = made.get("tool_calls")
    if calls is not None:
        listed = calls if is_list(calls) else [calls]
        made["tool_calls"] = [_call(call, whole=whole) for call in listed if is_object(call)]
    former: Any = made.get("function_call")
    if former is not None:
        made["function_call"] = _function(former, whole=whole) if is_object(former) else None
    return made


def is_text(value: object) -> bool:
    """Whether a value is what the packages expect of a name: a text, or nothing."""
    return value is None or isinstance(value, str)


def arguments_text(value: object) -> str:
    """Return a call's arguments as the text of one object; a text that is no JSON stays as it is.

    Args:
        value: That text; or encoded more than once, or not at all; or a list without a name.
    """
    inner: Any = value
    for _ in range(_LAYERS):
        if not isinstance(inner, str):
            break
        found = decoded(inner)
        if found is None and inner.strip() != "null":
            return inner
        if is_object(found) and inner is value:
            return inner
        inner = found
    if isinstance(inner, str):
        return inner
    return json.dumps({} if inner is None else inner if is_object(inner) else {_BARE: inner})


def _content(value: Any) -> Any:
    """Return a text or a list of parts; anything else as text, since it is the answer itself."""
    if is_text(value):
        return value
    if is_object(value) and value.get("type") == "text" and isinstance(value.get("text"), str):
        return value["text"]
    if is_list(value) and all(isinstance(one, str) or _is_part(one) for one in value):
        return [_part(one) for one in value]
    return json.dumps(value)


def _is_part(value: object) -> bool:
    return is_object(value) and (isinstance(value.get("type"), str) or list(value) == ["text"])


def _part(value: Any) -> Any:
    spelled = is_object(value) and is_one_of(value.get("type"), _TEXT_PARTS)
    return {**value, "type": "text"} if spelled else value


def _call(call: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    if call.get("type") == "custom":
        return call
    function: Any = call.get("function")
    if not is_object(function):
        function = {name: call[name] for name in ("name", "arguments") if name in call}
    made = {**call, "function": _function(function, whole=whole)}
    if whole or function.get("name"):
        made["type"] = "function"
        made["id"] = str(call.get("id") or "") or (
            f"call_{uuid.uuid4().hex[:12]}" if whole else None
        )
    return made


def _function(function: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    made = dict(function)
    name: Any = function.get("name")
    if whole or name:
        made["name"] = str(name or "")
    value: Any = function.get("arguments")
    if whole or (name and isinstance(value, str)):
        made["arguments"] = arguments_text(value)
    elif not isinstance(value, str):
        # The first of several parts may be an empty object, which the others would follow.
        made["arguments"] = arguments_text(value) if value else ""
    return made
