"""Reads a ranking out of whatever text a model answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..records import Flag, Item
from .answer_columns import has_places, read_entries, read_mapping, read_parallel
from .answer_entries import EntryReader, bare_number
from .answer_json import decoded_values, opened_value
from .answer_names import names_no_ranking
from .backwards import says_backwards, text_says_backwards, without_backward_titles
from .corrections import is_taken_back
from .json_values import is_list, is_object
from .loose_answers import read_loosely
from .responses import LONGEST_ANSWER

WANTED = 10
"""How many candidates an answer names, unless more are asked for."""

_KEY = "ranking"
_DEEPEST = 4
_CHAIN = re.compile(r"\[\d{1,6}\](?:\s{0,9}>\s{0,9}\[\d{1,6}\])+")


@dataclass(frozen=True, slots=True)
class RankingAnswer:
    """A model's ranking after reading, and what was wrong with it.

    Attributes:
        numbers: Valid candidate numbers, best first, none twice.
        well_formed: Whether the text was the JSON that was asked for.
        repeated: Numbers that came more than once, counted beyond the first.
        invented: Numbers that belong to no candidate.
        missing: How many fewer candidates were ranked than were asked for.
        short_is_fine: Whether a list that is only too short needs no repair.
        scores: What the answer says of each candidate, if it says more than an order: its
            log-probability, in the order of their numbers.
    """

    numbers: tuple[int, ...]
    well_formed: bool
    repeated: int
    invented: int
    missing: int
    short_is_fine: bool = False
    scores: tuple[float, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the answer can be used as it is."""
        short = bool(self.numbers) and self.well_formed and not self.invented
        return self.missing == 0 or (self.short_is_fine and short)

    @property
    def faults(self) -> dict[str, int]:
        """How often each fault occurred; only those that did."""
        counts = {
            Flag.WRONG_FORMAT: int(not self.well_formed),
            Flag.REPEATED: self.repeated,
            Flag.INVENTED: self.invented,
            Flag.MISSING: self.missing,
        }
        return {flag.value: count for flag, count in counts.items() if count}

    @property
    def flags(self) -> list[str]:
        """Names of the faults, empty for a clean answer."""
        return list(self.faults)


def read_ranking(
    text: str, candidates: int, items: Sequence[Item] = (), *, wanted: int = WANTED
) -> RankingAnswer:
    """Read an ordered list of candidates.

    Looks for the JSON that was asked for, then for other JSON, then for lines and sentences. What
    can be read in two ways is not read at all, so that it is asked for again.

    Args:
        text: The model's whole answer; what lies beyond 100,000 characters is not read.
        candidates: How many candidates there were; they are numbered from 1.
        items: The candidates in the order of their numbers, to read titles in place of numbers.
        wanted: How many of the best candidates were asked for, at most all.
    """
    text = text[:LONGEST_ANSWER]
    reader = EntryReader(items)
    found = _find(text, candidates, reader)
    if _doubted(found, text, items) or is_taken_back(
        text[found.end :], found.numbers, candidates, reader
    ):
        found = _Found(())
    numbers: dict[int, None] = {}
    repeated = invented = 0
    for number in found.numbers:
        if not 1 <= number <= candidates:
            invented += 1
        elif number in numbers:
            repeated += 1
        else:
            numbers[number] = None
    missing = max(0, min(wanted, candidates) - len(numbers))
    return RankingAnswer(
        tuple(numbers), found.plain, repeated, invented, missing, short_is_fine=True
    )


def is_ranking(text: str) -> bool:
    """Whether a text is or holds the JSON that was asked for."""
    return _find(text[:LONGEST_ANSWER], 0, EntryReader(())).plain


@dataclass(frozen=True, slots=True)
class _Found:
    """A ranking as it was read.

    Attributes:
        numbers: Of candidates.
        plain: Whether they stood in a plain list, as was asked for.
        start: Where the JSON begins that holds them, or `None` where it is none.
        end: Where it ends, or the text.
        holder: That JSON.
    """

    numbers: Sequence[int]
    plain: bool = False
    start: int | None = None
    end: int | None = LONGEST_ANSWER
    holder: Any = None


def _doubted(found: _Found, text: str, items: Sequence[Item]) -> bool:
    """Whether the answer says that the best candidate stands last, or that none is good."""
    if found.start is None:
        return text_says_backwards(without_backward_titles(text, items))
    before = without_backward_titles(text[: found.start], items)
    after = without_backward_titles(text[found.end :], items)
    beside = [
        (name, without_backward_titles(said, items) if isinstance(said, str) else said)
        for name, said in _beside(found.holder)
    ]
    return says_backwards(before, beside, after)


def _beside(value: Any, depth: int = 0) -> Iterator[tuple[str, str | bool]]:
    """Yield the names and values of what an object holds besides numbers and lists."""
    if is_list(value) and len(value) == 1:
        yield from _beside(value[0], depth)
    if not is_object(value) or depth >= _DEEPEST:
        return
    for name, inner in value.items():
        inside = opened_value(inner)
        if isinstance(inside, str | bool):
            yield name, inside
        yield from _beside(inside, depth + 1)


def _find(text: str, candidates: int, reader: EntryReader) -> _Found:
    values, cut = decoded_values(text, _KEY)
    if cut is not None:  # the answer is cut off, and what came before it was a draft
        rows = [value for *_, value in values[cut.values :] if is_object(value)]
        numbers = _of_rows(rows, reader) or _of_cut(text[cut.start :], candidates, reader)
        return _Found(numbers, start=cut.start)
    read = [
        replace(found, start=start, end=end, holder=value)
        for start, end, value in values
        if (found := _ranking_in(value, reader))
    ]
    objects = [found for found in read if is_object(found.holder)]
    if objects:
        return replace(objects[-1], plain=_only(objects))
    chains = list(_CHAIN.finditer(text))
    if chains and all(len(found.numbers) == 1 for found in read):  # "[5] > [2] > [6]"
        numbers = [int(number) for number in re.findall(r"\d+", chains[-1][0])]
        return _Found(numbers, start=chains[-1].start(), end=chains[-1].end())
    if read:
        if len(read) > 1 and all(len(found.numbers) == 1 for found in read):
            listed = read_loosely(text, candidates, reader)  # "1. [5] Alien", line by line
            if [*listed] == [found.numbers[0] for found in read]:
                read.append(_Found(listed))
        longest = max(reversed(read), key=lambda found: len(found.numbers))
        return replace(longest, plain=_only(read))
    if any(value for *_, value in values) or text.count("{") > 1:
        # Numbers that stand in JSON are not taken out of it one by one.
        rows = [value for *_, value in values if is_object(value)]
        return _Found(_of_rows(rows, reader), start=values[0][0] if values else None)
    return _Found(read_loosely(text, candidates, reader))


def _of_rows(rows: Sequence[Any], reader: EntryReader) -> Sequence[int]:
    return (read_entries(rows, reader) or ()) if len(rows) > 1 else ()


def _of_cut(text: str, candidates: int, reader: EntryReader) -> Sequence[int]:
    listed = text.partition("]")[0]
    return () if listed.count("{") > 1 else read_loosely(listed, candidates, reader)


def _only(rankings: Sequence[_Found]) -> bool:
    """Whether a ranking is plain and the only one."""
    return all(
        found.plain and list(found.numbers) == list(rankings[0].numbers) for found in rankings
    )


def _ranking_in(value: Any, reader: EntryReader, depth: int = 0) -> _Found | None:
    """Return the ranking that a decoded value holds, or `None` if it holds none or several."""
    if is_list(value):
        if len(value) == 1 and is_object(value[0]) and depth < _DEEPEST:
            return _ranking_in(value[0], reader, depth + 1)
        numbers = read_entries(value, reader)
        plain = all(bare_number(entry) is not None for entry in value)
        return None if numbers is None else _Found(numbers, plain)
    if isinstance(value, str) and depth:
        numbers = read_loosely(value, 10**6, reader)
        return _Found(numbers) if numbers else None
    return _ranking_in_object(value, reader, depth) if is_object(value) else None


def _ranking_in_object(value: dict[str, Any], reader: EntryReader, depth: int) -> _Found | None:
    if has_places(value):
        columns = read_parallel(value, reader)
        return None if columns is None else _Found(columns)
    key = _key_of(value)
    if key is not None:
        return _ranking_in(value[key], reader, depth + 1) if depth < _DEEPEST else None
    mapped = read_mapping(value, reader)
    if mapped is not None:
        return _Found(mapped)
    opened = ((name, opened_value(inner)) for name, inner in value.items())
    inside = [
        inner
        for name, inner in opened
        if (is_list(inner) or is_object(inner)) and not _is_no_ranking(name, inner)
    ]
    found = [_ranking_in(inner, reader, depth + 1) for inner in inside if depth < _DEEPEST]
    kept = [one for one in found if one is not None]
    same = all(list(one.numbers) == list(kept[0].numbers) for one in kept)
    if not kept or not same:
        return None
    # A number beside the list may be its first: {"best": 5, "rest": [2, 6]}.
    beside = {bare_number(inner) for inner in value.values()} - {None, *kept[0].numbers}
    return None if beside else kept[0]


def _is_no_ranking(name: str, inner: Any) -> bool:
    return names_no_ranking(name) and not (is_object(inner) and _KEY in inner)


def _key_of(value: dict[str, Any]) -> str | None:
    """Return the key under which a ranking stands: that which was asked for, or one like it."""
    if _KEY in value:
        return _KEY
    held = {
        key: key.lower()
        for key, inner in value.items()
        if (is_list(inner) or is_object(inner)) and not names_no_ranking(key)
    }
    for word in ("final", "rank"):
        like = [key for key, lower in held.items() if word in lower]
        if len(like) == 1:
            return like[0]
    # A lone key over several numbers is a name, even if it looks like a place.
    for key, inner in value.items() if len(value) == len(held) == 1 else ():
        if is_list(inner) and len(inner) > 1 and None not in map(bare_number, inner):
            return key
    return None
