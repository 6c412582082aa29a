"""Reads a ranking out of whatever text a model answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...records import Flag, Item
from ..responses import LONGEST_ANSWER
from ..text.answer_json import opened_value
from ..text.json_values import is_list, is_object
from ..text.turns import said_in
from .backwards import says_backwards, text_says_backwards, without_backward_titles
from .corrections import is_taken_back
from .entries import EntryReader
from .found_rankings import FoundRanking, find_ranking

WANTED = 10
"""How many candidates an answer names, unless more are asked for."""

_DEEPEST = 6
_ZERO = re.compile(
    r"(?<![\w.,-])0(?:\.0)?(?![\w.,]\d|\w)|(?:candidate|item|option|film|movie|product)[_-]?0\b",
    re.IGNORECASE,
)
"""A 0 in a text; the numbers of an unknown title are 0 as well."""
_WHOLE = r"\d{1,6}(?:\.0)?"
_LIST = re.compile(
    rf"(?<![\d.,]){_WHOLE}(?:\s?,\s?{_WHOLE}){{2,1000}}(?!\d|[.,]\d)|\[\s?{_WHOLE},{_WHOLE}\s?\]"
)
"""Several numbers, with or without spaces; "9,0" alone is a decimal."""


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

    Looks for the JSON that was asked for, then for other JSON, then for lines and sentences. An
    answer that can be read in two ways is not read at all, so that the model is asked again.

    Args:
        text: The model's whole answer; what lies beyond 100,000 characters is not read.
        candidates: How many candidates there were; they are numbered from 1.
        items: The candidates in the order of their numbers, to read titles in place of numbers.
        wanted: How many of the best candidates were asked for, at most all.
    """
    text = said_in(text[:LONGEST_ANSWER])
    reader = EntryReader(items, candidates)
    found = find_ranking(text, reader)
    if (
        _doubted(found, text, items)
        or is_taken_back(text[found.end :], found.numbers, reader)
        or (_counts_from_zero(found.numbers, candidates) and _names_zero(text))
    ):
        found = FoundRanking(())
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
    return find_ranking(said_in(text[:LONGEST_ANSWER]), EntryReader(())).plain


def _counts_from_zero(numbers: Sequence[int], candidates: int) -> bool:
    """Whether numbers may be places in the list of candidates, of which the first is 0."""
    different = len(set(numbers)) == len(numbers)
    return 0 in numbers and different and all(0 <= number < candidates for number in numbers)


def _names_zero(text: str) -> bool:
    listed = (re.split(r"[\s,\[\]]+", found[0]) for found in _LIST.finditer(text))
    return _ZERO.search(text) is not None or any({"0", "0.0"} & {*parts} for parts in listed)


def _doubted(found: FoundRanking, text: str, items: Sequence[Item]) -> bool:
    """Whether the answer says that the best candidate comes last, or that none is good."""
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
