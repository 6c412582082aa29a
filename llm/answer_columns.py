"""Tells in a list of objects or a mapping which values are candidates and which are places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from .answer_entries import (
    Column,
    EntryReader,
    bare_number,
    counts_up,
    only_number,
    pointed_numbers,
)
from .answer_names import names_no_ranking
from .json_values import is_list, is_object

_PLACES = frozenset({"rank", "place", "position", "pos", "order", "ranking"})
_SCORES = frozenset(
    {"score", "confidence", "probability", "likelihood", "relevance", "weight", "rating", "year"}
)
_NUMBERS = ("number", "candidate", "candidatenumber", "candidateid", "itemnumber")
_IDS = ("id", "itemid", "item", "no", "index", "option", "movie", "film", "movieid")
_DEEPEST = 4


def read_entries(
    entries: Sequence[Any], reader: EntryReader, depth: int = 0
) -> Sequence[int] | None:
    """Return the candidates' numbers in a list of any entries, or `None` if it is doubtful.

    Args:
        entries: From decoded JSON.
    """
    if not entries or depth > _DEEPEST:
        return None
    numbers = [bare_number(entry) for entry in entries]
    if all(isinstance(entry, str) for entry in entries):
        return reader.read_texts(entries) or pointed_numbers(entries) or None
    if None not in numbers:
        return [number for number in numbers if number is not None]
    if all(is_object(entry) for entry in entries):
        return _read_rows(entries, reader, depth)
    if all(is_list(entry) and 1 < len(entry) == len(entries[0]) for entry in entries):
        return _read_rows([dict(zip("abcdefgh", e, strict=False)) for e in entries], reader, depth)
    return None


def read_mapping(
    value: Mapping[str, Any], reader: EntryReader, depth: int = 0
) -> Sequence[int] | None:
    """Return the candidates' numbers in `{"1": 8, "2": 7}` and the like, `None` if it is doubtful.

    Keys are places unless the values count places, or are scores.

    Args:
        value: From decoded JSON.
    """
    keys = [only_number(key) for key in value]
    entries = list(value.values())
    values = [number for entry in entries if (number := bare_number(entry)) is not None]
    places = len(values) == len(entries) and _counts(values)
    if None in keys or not keys:  # titles and their places
        return _sorted_by(values, reader.read_texts(list(value))) if places else None
    numbers: Column = [key for key in keys if key is not None]
    named = all(map(reader.names_candidate, value))
    if places and (named or (counts_up(values) and not counts_up(numbers))):
        return _sorted_by(values, numbers)
    if len(values) < len(entries) and all(isinstance(entry, int | float) for entry in entries):
        return _sorted_by([-score for score in entries], numbers)
    # Keys in no order may be candidates as well as places, if the values may, too.
    if named or not _counts(numbers) or (places and not _in_order(numbers)):
        return None
    return read_entries(_sorted_by(numbers, entries) or [], reader, depth + 1)


def has_places(value: Mapping[str, Any]) -> bool:
    """Whether an object holds lists side by side, one of them of places.

    Args:
        value: From decoded JSON, such as `{"rank": [1, 2], "candidate": [8, 7]}`.
    """
    lists = [key for key, entries in value.items() if is_list(entries) and len(entries) > 1]
    return len(lists) > 1 and any(_plain(key) in _PLACES - {"ranking"} for key in lists)


def read_parallel(value: Mapping[str, Any], reader: EntryReader) -> Sequence[int] | None:
    """Return the candidates' numbers in lists side by side, or `None` if that is doubtful.

    Args:
        value: One that `has_places`.
    """
    lists = {key: entries for key, entries in value.items() if is_list(entries)}
    if len({len(entries) for entries in lists.values()}) > 1:
        return None
    return read_entries(
        [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)], reader
    )


def _read_rows(
    rows: Sequence[Mapping[str, Any]], reader: EntryReader, depth: int
) -> Sequence[int] | None:
    keys = [key for key in rows[0] if all(key in row for row in rows)]
    columns = {key: [row[key] for row in rows] for key in keys}
    numbers: dict[str, Column] = {}
    for key, column in columns.items():
        read = [bare_number(entry) for entry in column]
        if None not in read and not names_no_ranking(key):
            numbers[_plain(key)] = [number for number in read if number is not None]
    place = next((numbers[key] for key in numbers if key in _PLACES), None)
    score = next((columns[key] for key in columns if _plain(key) in _SCORES), None)
    named = _from_titles(columns, reader, depth)
    chosen = _candidates(
        {k: c for k, c in numbers.items() if k not in _PLACES | _SCORES}, named, alone=place is None
    )
    if chosen is None:
        return None
    if place is not None and not _increases(place):
        return _sorted_by(place, chosen) if len(set(place)) == len(place) else None
    if place is None and score is not None and counts_up(chosen):
        scores = [entry for entry in score if isinstance(entry, int | float)]
        return _sorted_by([-one for one in scores], chosen) if len(scores) == len(chosen) else None
    return chosen


def _from_titles(
    columns: Mapping[str, Sequence[Any]], reader: EntryReader, depth: int
) -> Sequence[int] | None:
    """Return the candidates that a column names by title, or that a column of objects holds."""
    for column in columns.values():
        if all(isinstance(entry, str) for entry in column):
            found = reader.read_titles(column)
            if found is not None:
                return found
        elif all(is_object(entry) for entry in column):
            return read_entries(column, reader, depth + 1)
    return None


def _candidates(
    numbers: Mapping[str, Column], named: Sequence[int] | None, *, alone: bool
) -> Sequence[int] | None:
    """Choose the column of the candidates' numbers; titles beside them must agree."""
    preferred = [numbers[key] for key in (*_NUMBERS, *_IDS) if key in numbers]
    options = preferred or list(numbers.values())
    if len(options) > 1:  # "1, 2, 3, …" counts places
        options = [column for column in options if not counts_up(column)] or options
    different = [column for at, column in enumerate(options) if column not in options[:at]]
    if named is not None:
        agrees = not different or any(_agree(column, named) for column in different)
        only_places = all(counts_up(column) for column in different)
        return named if agrees or only_places else None
    if len(different) != 1:
        return None
    # A lone column that counts up may be places or the candidates in their order.
    doubtful = alone and not preferred and counts_up(different[0])
    return None if doubtful else different[0]


def _agree(column: Sequence[int], named: Sequence[int]) -> bool:
    return all(title in {0, number} for number, title in zip(column, named, strict=True))


def _counts(column: Sequence[int]) -> bool:
    return counts_up(sorted(column))


def _in_order(column: Sequence[int]) -> bool:
    return _increases(column) or _increases(column[::-1])


def _increases(column: Sequence[int]) -> bool:
    return all(one < other for one, other in pairwise(column))


def _sorted_by(keys: Sequence[Any], values: Sequence[Any] | None) -> Any:
    if values is None or len(keys) != len(values):
        return None
    return [values[at] for at in sorted(range(len(keys)), key=lambda at: keys[at])]


def _plain(key: str) -> str:
    return "".join(sign for sign in key.lower() if sign.isalpha())
