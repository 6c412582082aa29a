"""Finds the ranking in a text: the JSON that was asked for, other JSON, lines or sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..responses import LONGEST_ANSWER
from ..text.answer_json import Found, decoded_values, opened_value
from ..text.json_values import is_list, is_object, plain_name
from .columns import has_columns, read_entries, read_mapping, read_parallel
from .entries import EntryReader
from .loose_answers import read_loosely
from .measures import names_place, names_score
from .names import names_no_ranking
from .numbers import bare_number, counts_up
from .revisions import names_draft, names_revision, takes_its_place

_KEY = "ranking"
_DEEPEST = 6
_CHAIN = re.compile(r"\[\d{1,6}\](?:\s{0,9}>\s{0,9}\[\d{1,6}\])+")
_LABEL = re.compile(
    r"(?:^|[.;(]\s{1,3}|\n)\W{0,5}([^\W\d]\w{0,20}(?:[ _'-]\w{1,20}){0,2}?)"
    r"(?:\s(?:was|were|is|are|of))?\s?[:=]?\s{0,9}\Z"
)
"""The name of a list right before it, alone in its line or sentence."""
_AMID = re.compile(r"[ \t]{1,9}(?!(?:and|then|instead|rather|not|over|before)\b)[a-z]")
"""Words after a list that is named in a sentence."""
_COUNTS = frozenset(
    {"id", "index", "count", "total", "n", "k", "length", "size", "version", "seed"}
)
_OF_CALLS = re.compile(
    r"(?:tool|call|function|request|response|message|run|trace)\w{0,20}(?:id|index|no|number)"
)
_NEAR, _FEW = 80, 2
_GIVEN = re.compile(r"candidate|item|option|choice|film|movie|product", re.IGNORECASE)
"""Names of a list of all candidates that is no ranking of them."""


@dataclass(frozen=True, slots=True)
class FoundRanking:
    """A ranking as it was read.

    Attributes:
        numbers: Candidates' numbers.
        plain: Whether they stood in a plain list, as was asked for.
        start: Where the JSON begins that holds them, or `None` where it is none.
        end: Where it ends, or the text.
        holder: The object that was read.
    """

    numbers: Sequence[int]
    plain: bool = False
    start: int | None = None
    end: int | None = LONGEST_ANSWER
    holder: Any = None


def find_ranking(text: str, reader: EntryReader) -> FoundRanking:
    """Return the ranking that a text gives last, without numbers where none is sure.

    Args:
        text: An answer's text.
        reader: Reads entries.
    """
    values, broken = decoded_values(text, _KEY, reader.candidates)
    if values and values[-1].cut and (found := _of_cut(values, reader)):
        return found  # what came before it was a draft
    doubtful = broken or any(value.cut for value in values)
    values = [value for value in values if not value.cut]
    read = [
        replace(found, start=value.start, end=value.end, holder=value.value)
        for value in values
        if (found := _ranking_in(value.value, reader))
    ]
    if any(is_object(found.holder) for found in read):
        return _of_objects(text, read)
    chains = list(_CHAIN.finditer(text))
    if chains and all(len(found.numbers) == 1 for found in read):  # "[5] > [2] > [6]"
        return replace(_last(text, [*map(_of_chain, chains)]), plain=False)
    if read and not doubtful:
        return _of_lists(text, read, reader)
    if doubtful or any(value.value for value in values) or text.count("{") > 1:
        # Numbers in JSON are not taken out of it one by one.
        rows = [value.value for value in values if is_object(value.value)]
        start = values[0].start if values else None
        return FoundRanking(_of_rows(rows, reader), start=start)
    return FoundRanking(read_loosely(text, reader))


def _of_chain(chain: re.Match[str]) -> FoundRanking:
    numbers = [int(number) for number in re.findall(r"\d+", chain[0])]
    return FoundRanking(numbers, start=chain.start(), end=chain.end())


def _of_objects(text: str, read: Sequence[FoundRanking]) -> FoundRanking:
    objects = [
        found
        for found in read
        if is_object(found.holder) and (_KEY in found.holder or not _names_other(text, found))
    ]
    return _last(text, objects)


def _of_cut(values: Sequence[Found], reader: EntryReader) -> FoundRanking | None:
    cut = values[-1]
    if is_list(cut.value) and len(values) > 1:
        return None
    found = _ranking_in(cut.value, reader)
    plain = found is not None and found.plain and not cut.in_list
    return found and replace(found, plain=plain, start=cut.start, holder=cut.value)


def _of_lists(text: str, read: list[FoundRanking], reader: EntryReader) -> FoundRanking:
    """Return the last of bare lists that is no mere mention."""
    if len(read) > 1 and all(len(found.numbers) == 1 for found in read):
        listed = read_loosely(text, reader)  # "1. [5] Alien", line by line
        numbers = [found.numbers[0] for found in read]
        if [*listed] == numbers or min(numbers) > reader.candidates > 0:  # years
            return FoundRanking(listed)
    last = _last(text, [found for found in read if not _is_mention(text, found)])
    return last if len(read) == 1 else replace(last, plain=last.plain and _only(read))


def _is_mention(text: str, found: FoundRanking) -> bool:
    return _names_other(text, found) or _AMID.match(text, found.end or 0) is not None


def _names_other(text: str, found: FoundRanking) -> bool:
    start = found.start or 0
    label = _LABEL.search(text[max(0, start - _NEAR) : start])
    return label is not None and names_no_ranking(label[1])


def _last(text: str, rankings: Sequence[FoundRanking]) -> FoundRanking:
    """Return the last of several rankings, without numbers if another may be meant."""
    if not rankings:
        return FoundRanking((), start=0)
    last = rankings[-1]
    known = set(last.numbers)
    for other in rankings[:-1]:
        # A draft is no longer than what it becomes, and names much the same.
        if len(other.numbers) > len(last.numbers) or not known & {*other.numbers}:
            return replace(last, numbers=())
    same = [list(found.numbers) == list(last.numbers) for found in rankings]
    if not all(same):
        at = len(same) - same[::-1].index(False)  # of the first that is not denied any more
        if not takes_its_place(text[rankings[at - 1].end : rankings[at].start]):
            return replace(last, numbers=())
    return replace(last, plain=_only(rankings))


def _of_rows(rows: Sequence[Any], reader: EntryReader) -> Sequence[int]:
    return (read_entries(rows, reader) or ()) if len(rows) > 1 else ()


def _only(rankings: Sequence[FoundRanking]) -> bool:
    """Whether a ranking is plain and the only one."""
    return all(
        found.plain and list(found.numbers) == list(rankings[0].numbers) for found in rankings
    )


def _ranking_in(value: Any, reader: EntryReader, depth: int = 0) -> FoundRanking | None:
    """Return the ranking that a decoded value holds, or `None` if it holds none or several."""
    if is_list(value):
        if len(value) == 1 and is_object(value[0]) and depth < _DEEPEST:
            return _ranking_in(value[0], reader, depth + 1)
        numbers = read_entries(value, reader)
        plain = all(bare_number(entry) is not None for entry in value)
        return None if numbers is None else FoundRanking(numbers, plain)
    if isinstance(value, str) and depth:
        numbers = read_loosely(value, reader)
        return FoundRanking(numbers) if numbers else None
    return _ranking_in_object(value, reader, depth) if is_object(value) else None


def _ranking_in_object(
    value: dict[str, Any], reader: EntryReader, depth: int
) -> FoundRanking | None:
    if has_columns(value) and _KEY not in value:
        columns = read_parallel(value, reader)
        return None if columns is None else FoundRanking(columns)
    key = _key_of(value, reader)
    if key is not None:
        found = _ranking_in(value[key], reader, depth + 1) if depth < _DEEPEST else None
        return None if found and _is_revised(value, key, found, reader, depth) else found
    mapped = read_mapping(value, reader)
    if mapped is not None:
        return FoundRanking(mapped)
    opened = ((name, opened_value(inner)) for name, inner in value.items())
    inside = [
        inner
        for name, inner in opened
        if (is_list(inner) or is_object(inner)) and not _is_no_ranking(name, inner, reader)
    ]
    found = [_ranking_in(inner, reader, depth + 1) for inner in inside if depth < _DEEPEST]
    kept = [one for one in found if one is not None]
    same = all(list(one.numbers) == list(kept[0].numbers) for one in kept)
    if not kept or not same:
        return None
    # A number beside the list may be its first: {"best": 5, "rest": [2, 6]}.
    numbered = (inner for name, inner in value.items() if not _counts_or_calls(name))
    beside = set(map(bare_number, numbered)) - {None, *kept[0].numbers}
    return None if beside else kept[0]


def _counts_or_calls(name: str) -> bool:
    """Whether the number of such a name is no candidate's: a count, or the id of a tool call."""
    return name.lower() in _COUNTS or _OF_CALLS.fullmatch(plain_name(name)) is not None


def _is_revised(
    value: dict[str, Any], key: str, found: FoundRanking, reader: EntryReader, depth: int
) -> bool:
    """Whether another list beside a ranking comes after it, or holds the same in another order."""
    for name, inner in value.items():
        if name == key or names_draft(name) or _is_no_ranking(name, inner, reader):
            continue
        revised = names_revision(name)
        if not revised and (names_place(name) or names_score(name) or _GIVEN.search(name)):
            continue
        keyed = is_object(inner) and _KEY in inner
        if isinstance(inner, str):
            # "Final: 2, 5" is a list, "5 and 2 are best" a remark.
            if any(map(str.isalpha, inner.rpartition(":")[2])):
                continue
        elif not (revised or keyed or is_list(inner)):
            continue
        other = _ranking_in(inner, reader, depth + 1) if depth < _DEEPEST else None
        numbers = [*other.numbers] if other else []
        same = sorted(numbers) == sorted(found.numbers) and not counts_up(numbers)
        several = len(numbers) > 1 or len(numbers) == len(found.numbers)
        if (same or (revised and several)) and numbers != [*found.numbers[: len(numbers)]]:
            return True
    return False


def _is_no_ranking(name: str, inner: Any, reader: EntryReader) -> bool:
    copied = reader.candidates > _FEW and inner == list(range(1, reader.candidates + 1))
    if copied and _GIVEN.search(name):
        return True
    return names_no_ranking(name) and not (is_object(inner) and _KEY in inner)


def _key_of(value: dict[str, Any], reader: EntryReader) -> str | None:
    """Return the key of a ranking: the one that was asked for, or one like it."""
    if _KEY in value:
        return _KEY
    held = {
        key: key.lower()
        for key, inner in value.items()
        if (is_list(inner) or is_object(inner)) and not _is_no_ranking(key, inner, reader)
    }
    for word in ("final", "rank"):
        like = [key for key, lower in held.items() if word in lower]
        if len(like) == 1:
            return like[0]
    # A lone key over several numbers, or all of them, is a name, even if it looks like a place.
    fewest = 1 if reader.candidates == 1 else _FEW
    for key, inner in value.items() if len(value) == len(held) == 1 else ():
        if is_list(inner) and len(inner) >= fewest and None not in map(bare_number, inner):
            return key
    return None
