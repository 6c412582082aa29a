"""JSON by line, limited to what PostgreSQL can store: ids, text and finite numbers."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import cast

from ..records import without_surrogates
from .files import read_lines
from .json_by_line import refuse_other_text
from .malformed import ReadReport, RowError, parse_rows, shown
from .python_rows import as_json

_LISTED_KEYS = 8
_LONGEST_ID = 500
_EXACT = 2**53
"""Below it, a float tells all whole numbers apart."""
_HALVES = re.compile(r"\\u[dD][89a-fA-F]")
"""How JSON escapes a half of a surrogate pair."""
_PAIRS_AND_HALVES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape of any kind, so that one behind an escaped backslash is text."""


def read_json_lines(path: Path, report: ReadReport) -> Iterator[tuple[int, object]]:
    """Stream the line numbers and values of a file with one JSON value per line.

    A line may also be an object as Python writes it, such as `{'id': 7}`.

    Args:
        path: The file, plain or gzip-compressed.
        report: Gets the lines that are no JSON and the bytes read.

    Raises:
        InputError: The file cannot be read as text.
    """
    return parse_rows(
        path, report, json_lines(path, report), lambda text: parse_json(as_json(text))
    )


def json_lines(path: Path, report: ReadReport) -> Iterator[tuple[int, str]]:
    """Stream the numbered lines of a file that holds one JSON value per line.

    Args:
        path: The file, plain or gzip-compressed.
        report: Gets the bytes read.

    Raises:
        InputError: The file cannot be read as text, or is a table such as CSV.
    """
    lines = read_lines(path, report)
    opening = list(islice(lines, 2))
    if opening:
        refuse_other_text(path, opening[0][1], alone=len(opening) == 1)
    yield from chain(opening, lines)


def with_own_keys(row: dict[str, object], names: Collection[str]) -> dict[str, object]:
    """Return a row whose own keys are spelled as they should be, though not in small letters.

    Args:
        names: The keys that mean something.
    """
    renamed = dict(row)
    for key in row:
        name = key.strip().lower()
        if name in names and name not in renamed:
            renamed[name] = renamed.pop(key)
    return renamed


def keys_of(row: Mapping[str, object]) -> str:
    """Return a remark that lists a row's keys; empty if there are none."""
    listed = ", ".join(map(shown, list(row)[:_LISTED_KEYS]))
    return f" (it has {listed})" if listed else ""


def parse_json(text: str) -> object:
    """Return a JSON value; `RowError` if it is no JSON, repeats a key, or holds NaN or infinity.

    Halves of surrogate pairs are replaced.
    """
    if text.rstrip().endswith(("},", "],")):  # a line of a list
        text = text.rstrip()[:-1]
    try:
        value: object = json.loads(
            _PAIRS_AND_HALVES.sub(_without_half, text) if _HALVES.search(text) else text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole_number,
        )
    except RowError:
        raise
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "too large or too deep"
        raise RowError(f"is not JSON ({reason}): {shown(text)}") from error
    return value


def as_id(value: object, name: str) -> str:
    """Return an id, a string or a whole number, as text; messages call it `name`.

    A column of numbers with gaps is often written as 7.0.
    """
    if isinstance(value, str):
        text = as_text(value, name)
        if len(text) > _LONGEST_ID:  # the database's index takes no longer one
            raise RowError(f"{name} {shown(text)} is longer than {_LONGEST_ID} characters")
        return text
    if isinstance(value, float) and abs(value) < _EXACT and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowError(f"{name} {shown(value)} is neither text nor a whole number")


def as_ids(value: object, name: str) -> tuple[str, ...]:
    """Return a list of ids as text."""
    if not isinstance(value, list):
        raise RowError(f"{name} {shown(value)} is not a list of ids")
    return tuple(as_id(entry, f"{name}: id") for entry in cast("list[object]", value))


def as_text(value: object, name: str) -> str:
    """Return a text that is not blank and has no NUL; halves of surrogate pairs are replaced."""
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"{name} {shown(value)} is not text, or is blank")
    if "\0" in value:
        raise RowError(f"{name} {shown(value)} holds a character that cannot be stored")
    return without_surrogates(value)


def as_object(value: object) -> dict[str, object] | None:
    """Return a JSON object, or `None` for any other value."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _without_half(escape: re.Match[str]) -> str:
    return escape[0] if escape["half"] is None else r"\ufffd"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise RowError("gives a key twice")
    return value


def _refuse(constant: str) -> object:
    raise RowError(f"holds {constant}, which is not JSON")


def _whole_number(text: str) -> int:
    value = int(text)
    if abs(value) > sys.float_info.max:  # comparing items turns their numbers into floats
        raise RowError(f"holds the number {shown(text)}, which is too large")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise RowError(f"holds the number {shown(text)}, which is too large")
    return value
