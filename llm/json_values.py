"""Writes JSON for prompts, and tells what decoded JSON is in a way that type checkers follow."""

from __future__ import annotations

import json
from typing import Any, TypeGuard


def prompt_json(document: object) -> str:
    """Write a document for a prompt.

    No text in it holds a `<`, which is escaped as JSON allows: chat templates read `<|im_end|>` in
    a title as the end of the message, and strings as such are no defence.

    Args:
        document: Anything that JSON can hold.
    """
    return json.dumps(document, ensure_ascii=False).replace("<", "\\u003c")


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a decoded JSON value is an object.

    Args:
        value: From `json.loads`.
    """
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a decoded JSON value is an array.

    Args:
        value: From `json.loads`.
    """
    return isinstance(value, list)
