"""Reads objects and rows that hold the candidates' titles beside their numbers or scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...records import is_number
from .entries import EntryReader
from .measures import increases
from .numbers import bare_number


def read_titled(value: Mapping[str, Any], reader: EntryReader) -> Sequence[int] | None:
    """Return the candidates of `{"8": "Alien"}` or `{"Alien": 0.9}`, `None` for anything else.

    Args:
        value: A value from decoded JSON.
    """
    held = value.items()
    keyed = {int(key): said for key, said in held if key.isdecimal() and isinstance(said, str)}
    if len(keyed) == len(value):
        return _keyed(keyed, reader)
    scores = {key: score for key, score in held if is_number(score) and not key.isdecimal()}
    return _scored(scores, reader) if len(scores) == len(value) else None


def read_copied(texts: Sequence[str], reader: EntryReader) -> Sequence[int] | None:
    """Return the candidates of rows such as "8|Alien|1979", `None` if one of them is none.

    Args:
        texts: Each copied from the prompt.
    """
    found = [bare_number(text.split("|", 1)[0]) for text in texts]
    cells = [text.split("|", 2)[1:2] for text in texts]
    rows = zip(found, cells, strict=True)
    same = all(number and cell and number in reader.called(cell[0]) for number, cell in rows)
    return [number for number in found if number] if same else None


def _keyed(titles: Mapping[int, str], reader: EntryReader) -> Sequence[int] | None:
    """Return numbers that are those of their titles; ascending ones are in no order."""
    same = all(number in reader.called(title) for number, title in titles.items())
    return [*titles] if same and not increases([*titles]) else None


def _scored(scores: Mapping[str, float], reader: EntryReader) -> Sequence[int] | None:
    """Return the candidates of titles with falling scores."""
    found, values = reader.read_titles([*scores]), [*scores.values()]
    if not found or 0 in found:
        return None
    scored = any(isinstance(value, float) for value in values) or max(values) > len(found)
    falls = values == sorted(values, reverse=True) and len(set(values)) > 1
    return found if scored and falls else None
