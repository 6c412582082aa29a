"""Tells in a list of objects or a mapping which values are candidates and which are places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...records import is_number
from ..text.json_values import is_list, is_object
from .candidates import Column
from .entries import EntryReader
from .key_names import Counted, counted_by, counted_by_all, holds_places, is_id_of_place
from .measures import (
    are_their_own,
    increases,
    names_score,
    place_in,
    score_in,
)
from .names import names_no_ranking
from .numbers import bare_number, counts_up, only_number
from .titled_columns import read_copied, read_titled

_YEAR = "year"
_NUMBERS = (
    *("number", "candidate", "candidatenumber", "candidateid", "itemnumber", "kandidat"),
    *(
        "candidat",
        "candidato",
        "\u043a\u0430\u043d\u0434\u0438\u0434\u0430\u0442",
        "\u5019\u9009",
        "\u5019\u88dc",
    ),
)
_IDS = ("id", "itemid", "item", "no", "index", "option", "movie", "film", "movieid")
_DEEPEST = 4


def read_entries(
    entries: Sequence[Any], reader: EntryReader, depth: int = 0
) -> Sequence[int] | None:
    """Return the candidates' numbers in a list of any entries, or `None` if it is doubtful.

    Args:
        entries: Entries from decoded JSON.
    """
    if not entries or depth > _DEEPEST:
        return None
    if all(isinstance(entry, str) for entry in entries):
        return reader.read_lines(entries) or None
    if all(is_object(entry) for entry in entries):
        merged = {key: value for entry in entries for key, value in entry.items()}
        if len(merged) == len(entries) > 1 and all(len(entry) == 1 for entry in entries):
            return _read_singles(merged, reader, depth)
        return _read_rows(entries, reader, depth)
    if all(is_list(entry) for entry in entries):
        return _read_lists(entries, reader, depth)
    numbers = [bare_number(entry) for entry in entries]
    return None if None in numbers else [number for number in numbers if number is not None]


def _read_singles(
    merged: Mapping[str, Any], reader: EntryReader, depth: int
) -> Sequence[int] | None:
    """Read a list of objects with one key each: places, or titles in their order with a reason."""
    values = list(merged.values())
    numeric = all(map(is_number, values))
    if None in map(only_number, merged) and (numeric or not any(map(is_number, values))):
        found = reader.read_titles(list(merged))
        falls = not numeric or (increases(values[::-1]) and not _counts(values))
        return found if found and 0 not in found and falls else None
    return read_mapping(merged, reader, depth)


def _read_lists(
    entries: Sequence[Sequence[Any]], reader: EntryReader, depth: int
) -> Sequence[int] | None:
    """Read a list within a list, lists of one entry each, or rows without names."""
    if len(entries) == 1 or all(len(entry) == 1 for entry in entries):
        return read_entries([inner for entry in entries for inner in entry], reader, depth + 1)
    if len({len(entry) for entry in entries}) > 1:
        return None
    rows = [dict(zip("abcdefgh", entry, strict=False)) for entry in entries]
    return _read_rows(rows, reader, depth, named=False)


def read_mapping(
    value: Mapping[str, Any], reader: EntryReader, depth: int = 0
) -> Sequence[int] | None:
    """Return the candidates' numbers in `{"1": 8, "2": 7}` and the like, `None` if it is doubtful.

    Keys are places unless the values count places, or are scores.

    Args:
        value: A value from decoded JSON.
    """
    titled = read_titled(value, reader) if len(value) > 1 else None
    return titled or _read_keys(value, reader, depth)


def _read_keys(value: Mapping[str, Any], reader: EntryReader, depth: int) -> Sequence[int] | None:
    keys = [only_number(key) for key in value]
    entries = list(value.values())
    values = [number for entry in entries if (number := bare_number(entry)) is not None]
    places = len(values) == len(entries) and _counts(values)
    titled = 0 not in (reader.read_titles(list(value)) or [0])
    if None in keys or titled:  # titles and their places
        found = reader.read_texts(list(value)) if places else None
        return _by_places(values, found) if found else None
    numbers: Column = [key for key in keys if key is not None]
    counted = counted_by_all(value)
    counts = counted is not Counted.PLACE and counts_up(values) and not counts_up(numbers)
    no_places = counted is not None and not _counts(numbers)
    if places and (counted is Counted.CANDIDATE or counts or no_places):
        return _by_places(values, numbers)
    if len(values) < len(entries) and all(isinstance(entry, int | float) for entry in entries):
        return _sorted_by([-score for score in entries], numbers)
    # Keys in no order may be candidates as well as places, if the values may, too.
    named = counted is Counted.CANDIDATE or (counted is Counted.UNSURE and bool(values))
    if named or not _counts(numbers) or (places and not _in_order(numbers)):
        return None
    found = read_entries(_sorted_by(numbers, entries) or [], reader, depth + 1)
    if found is None or (values and not reader.holds(found)):
        return None
    bare = values and all(map(str.isdecimal, value))
    at_places = dict(zip(sorted(numbers), found, strict=len(found) == len(numbers)))
    own = are_their_own(numbers, [at_places.get(number, 0) for number in numbers])
    return None if own or (bare and reader.may_be_scores(found)) else found


def has_columns(value: Mapping[str, Any]) -> bool:
    """Whether an object holds lists side by side, one of them of places or of scores.

    Args:
        value: A value from decoded JSON, such as `{"rank": [1, 2], "candidate": [8, 7]}`.
    """
    lists = {key: e for key, e in value.items() if is_list(e) and len(e) > 1}
    scored = any(names_score(key) and is_number(e[0]) for key, e in lists.items())
    placed = any(is_id_of_place(key) or holds_places(key, lists) for key in lists)
    return len(lists) > 1 and (scored or placed)


def read_parallel(value: Mapping[str, Any], reader: EntryReader) -> Sequence[int] | None:
    """Return the candidates' numbers in lists side by side, or `None` if that is doubtful.

    Args:
        value: One that `has_columns`.
    """
    lists = {key: entries for key, entries in value.items() if is_list(entries)}
    if len({len(entries) for entries in lists.values()}) > 1:
        return None
    return read_entries(
        [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)], reader
    )


def _read_rows(
    rows: Sequence[Mapping[str, Any]], reader: EntryReader, depth: int, *, named: bool = True
) -> Sequence[int] | None:
    keys = [key for key in rows[0] if all(key in row for row in rows)]
    columns = {key: [row[key] for row in rows] for key in keys}
    numbers: dict[str, Column] = {}
    places: list[Sequence[Any]] = []
    scores: list[Sequence[Any]] = []
    for key, column in columns.items():
        read = [bare_number(entry) for entry in column]
        if holds_places(key, columns):
            places.append(_placed(column))
        elif names_score(key):
            scores.append([score_in(entry) for entry in column])
        elif None not in read and not names_no_ranking(key) and _plain(key) != _YEAR:
            numbers[_plain(key)] = [number for number in read if number is not None]
    known = [_plain(key) for key in columns if counted_by(key) is Counted.CANDIDATE]
    of_candidates = {key: numbers[key] for key in known if key in numbers} or numbers
    titled = _from_titles(columns, reader, depth)
    chosen = _candidates(of_candidates, titled, reader, alone=not places, named=named)
    if chosen is None:
        return None
    if places:  # beside a column that repeats the candidates' numbers, another counts
        own = [None not in column and are_their_own(column, chosen) for column in places]
        return _by_places(places[own.index(False) if False in own else 0], chosen)
    if scores:
        return _by_scores(scores, chosen)
    # In the order of their numbers, with something measured beside each, they are in no order.
    beside = [column for column in numbers.values() if column != chosen and len(set(column)) > 1]
    return None if increases(chosen) and (beside or _unread(columns)) else chosen


def _placed(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column's places, or all zeros if it holds a different word in each row.

    Words that recur, such as "high", are no places and do not change the order of the rows.
    """
    places = [place_in(entry) for entry in column]
    words = {entry for entry in column if isinstance(entry, str)}
    return [0] * len(column) if None in places and len(words) == len(column) > 1 else places


def _by_places(places: Sequence[Any], chosen: Sequence[int]) -> Sequence[int] | None:
    if None in places:
        return None if increases(chosen) else chosen
    if are_their_own(places, chosen) or len(set(places)) < len(places):
        return None
    return _sorted_by(places, chosen) if _counts(places) or increases(places) else None


def _by_scores(scores: Sequence[Sequence[Any]], chosen: Sequence[int]) -> Sequence[int] | None:
    """Return candidates in the order that their scores confirm or give; else none."""
    best, *others = scores
    if len(chosen) == 1:
        return chosen
    if None in best:
        return None if increases(chosen) else chosen
    falls = [sorted(best, reverse=True) == list(best), *(None in column for column in others)]
    if not increases(chosen):
        return chosen if any(falls) else None
    distinct = len(set(best)) == len(best) and not others and list(best) != list(chosen)
    return _sorted_by([-one for one in best], chosen) if distinct else None


def _unread(columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a column of numbers holds fractions, which may measure anything."""
    return any(
        all(isinstance(entry, int | float) for entry in c)
        and any(isinstance(entry, float) for entry in c)
        for c in columns.values()
    )


def _from_titles(
    columns: Mapping[str, Sequence[Any]], reader: EntryReader, depth: int
) -> Sequence[int] | None:
    """Return the candidates that a column names by title, or that a column of objects holds."""
    for column in columns.values():
        if all(isinstance(entry, str) for entry in column):
            found = reader.read_titles(column)
            found = read_copied(column, reader) if found is None else found
            if found is not None:
                return found
        elif all(is_object(entry) for entry in column):
            return read_entries(column, reader, depth + 1)
    return None


def _candidates(
    numbers: Mapping[str, Column],
    titled: Sequence[int] | None,
    reader: EntryReader,
    *,
    alone: bool,
    named: bool,
) -> Sequence[int] | None:
    """Choose the column of the candidates' numbers; titles beside them must agree.

    Args:
        alone: Whether no column is one of places.
        named: Whether the columns have names.
    """
    preferred = [numbers[key] for key in (*_NUMBERS, *_IDS) if key in numbers]
    options = preferred or list(numbers.values())
    if len(options) > 1:  # "1, 2, 3, …" counts places
        options = [column for column in options if not counts_up(column)] or options
    different = [column for at, column in enumerate(options) if column not in options[:at]]
    if titled is not None:
        agrees = not different or any(_agree(column, titled) for column in different)
        only_places = all(counts_up(column) for column in different)
        return titled if agrees or only_places else None
    if len(different) != 1 or (len(numbers) > 1 and named and not preferred):
        return None
    if len(numbers) > 1 and not preferred:
        # Beside numbers without a name that count up, the others are candidates or scores.
        scores = not named and reader.may_be_scores(different[0])
        if scores or not reader.holds(different[0]):
            return None
    # A lone column that counts up may be places or the candidates in their order.
    doubtful = alone and not preferred and counts_up(different[0])
    return None if doubtful else different[0]


def _agree(column: Sequence[int], named: Sequence[int]) -> bool:
    return all(title in {0, number} for number, title in zip(column, named, strict=True))


def _counts(column: Sequence[int]) -> bool:
    return counts_up(sorted(column))


def _in_order(column: Sequence[int]) -> bool:
    return increases(column) or increases(column[::-1])


def _sorted_by(keys: Sequence[Any], values: Sequence[Any] | None) -> Any:
    if values is None or len(keys) != len(values):
        return None
    return [values[at] for at in sorted(range(len(keys)), key=lambda at: keys[at])]


def _plain(key: str) -> str:
    return "".join(sign for sign in key.lower() if sign.isalpha())
