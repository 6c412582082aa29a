"""Tells what decoded JSON is in a way that type checkers follow."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a decoded JSON value is an object.

    Args:
        value: A value from `json.loads`.
    """
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a decoded JSON value is an array.

    Args:
        value: A value from `json.loads`.
    """
    return isinstance(value, list)


def is_one_of(value: object, words: Collection[str | None]) -> bool:
    """Whether a decoded JSON value is one of some texts; to look for a list in a set would raise.

    Args:
        value: A value from `json.loads`.
        words: The texts; `None` among them is JSON's null.
    """
    return (value is None or isinstance(value, str)) and value in words


def plain_name(name: object) -> str:
    """Return a key in small letters alone, as servers spell the same one in several ways.

    Args:
        name: Such as `errorMessage` or `error_message`.
    """
    return "".join(filter(str.isalnum, str(name))).lower()
