"""Checks that the columns and rows of several data sets share; each raises `RowError`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from .malformed import RowError, shown

if TYPE_CHECKING:
    from collections.abc import Container

LATEST_TIMESTAMP = 32_503_680_000
"""The year 3000 in seconds: anything later is a count of milliseconds, or garbage."""


def whole_number(text: str, name: str, low: int, high: int) -> int:
    """Return a column's whole number.

    Args:
        text: The column.
        name: What the column is called in messages.
        low: The least value allowed.
        high: The greatest value allowed.

    Raises:
        RowError: The column holds something else.
    """
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise RowError(f"{name} {shown(text)} is not a whole number")
    value = int(text)
    if not low <= value <= high:
        raise RowError(f"{name} {value} is not between {low} and {high}")
    return value


def check_rating(text: str) -> None:
    """Make sure that a rating is a number; sessions need its time, not its value.

    Args:
        text: The column.

    Raises:
        RowError: The column holds something else.
    """
    try:
        good = math.isfinite(float(text))
    except ValueError:
        good = False
    if not good:
        raise RowError(f"rating {shown(text)} is not a number")


def check_new(item: str, seen: set[str]) -> None:
    """Make sure that an item id comes up for the first time, and remember it.

    Args:
        item: The id.
        seen: The ids of the rows before, which the id is added to.

    Raises:
        RowError: The id was given before.
    """
    if item in seen:
        raise RowError(f"id {shown(item)} was given before")
    seen.add(item)


def check_known(item: str, known: Container[str] | None) -> None:
    """Make sure that an item is in the catalogue.

    Args:
        item: The id.
        known: The catalogue's ids, or `None` where any id will do.

    Raises:
        RowError: The id is not in the catalogue.
    """
    if known is not None and item not in known:
        raise RowError(f"item {shown(item)} is not in the catalogue")
