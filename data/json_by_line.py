"""Refuses files that hold no JSON by line, and says how to write it so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

from ..errors import InputError
from .malformed import shown

_LONGEST_HEADING = 1_000
_BESIDE = 5
"""Keys that may be next to the list in an object around all rows."""
_LISTS_OF_A_ROW = {"history", "candidates"}
"""Keys that may hold objects in a single row, too."""


def refuse_other_text(path: Path, text: str, *, alone: bool) -> None:
    """Refuse a file that is a table, or whose first line begins one JSON value of many.

    Args:
        text: The first line.
        alone: Whether the file has no other line.

    Raises:
        InputError: It is; says how to write it by line.
    """
    if is_heading(text):
        remedy = "Give one JSON object a line; `re2llm load table` reads CSV and Parquet."
        raise InputError(str(path), f"is a table, not JSONL. It begins {shown(text)}.", remedy)
    start = text.strip()
    if start.startswith("[") and _is_list_of_rows(start):
        remedy = f"Write one object a line: jq -c '.[]' {path.name} > lines.jsonl"
        raise InputError(str(path), "is one JSON list.", remedy)
    if not start.startswith("{"):
        return
    if start == "{" or (start.count("{") > start.count("}") and start.endswith(("{", ",", ": ["))):
        remedy = f"Write one object a line: jq -c . {path.name} > lines.jsonl"
        raise InputError(str(path), "is JSON that goes over several lines.", remedy)
    held = _wrapped(start) if alone else None
    if held is not None:
        remedy = f"Write one object a line: jq -c '.[{json.dumps(held)}][]' {path.name} > NEW"
        raise InputError(str(path), f"is one JSON object with a list in {held!r}.", remedy)


def _wrapped(text: str) -> str | None:
    """Return under which key an object holds all rows, if it is no row itself."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    row = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    held = next((key for key, rows in row.items() if _are_rows(rows)), None)
    is_row = held in _LISTS_OF_A_ROW or len(row) - 1 >= _BESIDE or "id" in row
    return None if is_row else held


def _is_list_of_rows(text: str) -> bool:
    """Return whether a line that opens a list leaves it open, or closes it over objects alone."""
    try:
        listed: object = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return _are_rows(listed)


def _are_rows(value: object) -> bool:
    if not isinstance(value, list):
        return False
    rows = cast("list[object]", value)
    return bool(rows) and all(isinstance(row, dict) for row in rows)


def is_heading(text: str) -> bool:
    """Return whether a line names the columns of a table."""
    cells = re.split(r"[,;\t|]", text.strip()[:_LONGEST_HEADING])
    return len(cells) > 1 and all(
        cell.strip(' "').replace(" ", "_").isidentifier() for cell in cells
    )
