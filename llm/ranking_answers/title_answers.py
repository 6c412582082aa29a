"""Reads a ranking out of a list of titles, however it is numbered, quoted or set in bold.

It fixes what the papers' code got wrong (cutting titles after the last ". ", splitting at ";",
HTML entities, numbering styles) and would rather leave a title unread than take it for another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...records import Item
from ..responses import LONGEST_ANSWER
from ..text.answer_json import decoded_values
from ..text.json_values import is_list, is_object
from ..text.turns import said_in
from .answers import WANTED, RankingAnswer
from .backwards import text_says_backwards, without_backward_titles
from .entries import EntryReader
from .measures import increases
from .names import names_no_ranking
from .numbers import counts_down, counts_up, named_once
from .one_line import titled_line
from .place_labels import without_place_labels
from .refused import is_refused
from .tails import Kind, in_order, tails_of
from .title_match import NUMBERING, WRAPPING, Titles

_HEADING = re.compile(r"^(?:#{2,6}\s{1,3}|#\s{1,3}(?=[^\s\d]))")
_MOST_LINES = 1_100
"""Room for as many lines as titles can be asked for, and some talk."""
_LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """One line of an answer.

    Attributes:
        line: The line as the model wrote it.
        number: The number of the candidate that it names, or `None`.
    """

    line: str
    number: int | None


def read_titles(text: str, candidates: Sequence[Item], wanted: int = WANTED) -> RankingAnswer:
    """Read an ordered list of titles.

    Args:
        candidates: The candidates in the order of their numbers.
        wanted: How many titles were asked for, at most all.
    """
    readings = title_readings(text, candidates)
    named = [reading.number for reading in readings if reading.number is not None]
    numbers = tuple(dict.fromkeys(named))
    unread = len(readings) - len(named)
    return RankingAnswer(
        numbers,
        well_formed=bool(named) and unread == 0,
        repeated=len(named) - len(numbers),
        invented=unread,
        missing=max(0, min(wanted, len(candidates)) - len(numbers)),
    )


def title_readings(text: str, candidates: Sequence[Item]) -> list[Reading]:
    """Read an answer line by line.

    Args:
        candidates: The candidates in the order of their numbers.

    Returns:
        The lines that hold an entry. Of candidates with the same title, a line means the first
        that was not named yet.
    """
    titles = Titles(candidates)
    lines = without_place_labels(
        _entries(said_in(text), titles),
        titled=titles.is_whole,
        number=lambda said: said.isdecimal() and not titles.exact(said.strip(WRAPPING)),
        candidate=lambda _: False,
    )
    used: set[int] = set()
    readings: list[Reading] = []
    for line in lines:
        found = titles.find(line) or ([] if "{" in text else _scored(line, titles))
        number = next((n for n in found if n not in used), found[0] if found else None)
        if number is not None:
            used.add(number)
        readings.append(Reading(line.strip(), number))
    named = [place for place, reading in enumerate(readings) if reading.number is not None]
    if not named:
        return readings
    preamble = "\n".join(reading.line for reading in readings[: named[0]])
    if text_says_backwards(without_backward_titles(preamble, candidates)):
        return []
    plain = EntryReader(candidates).without_refusals(text[:LONGEST_ANSWER])
    numbers = [reading.number or 0 for reading in readings]
    if is_refused(plain, numbers, len(candidates), titles.find):
        return []
    kept = _listed(readings, lines, titles)
    return [] if kept is None else _best_first([readings[at] for at in kept], titles)


def _listed(
    readings: Sequence[Reading], lines: Sequence[str], titles: Titles
) -> Sequence[int] | None:
    """Return which lines are the list, without talk, and without what names some of it again."""
    leads = [_lead(reading.line, titles) for reading in readings]
    depths = [len(line) - len(line.lstrip()) for line in lines]
    entries = [bool(NUMBERING.match(reading.line)) for reading in readings]
    least = min((depth for depth, entry in zip(depths, entries, strict=True) if entry), default=0)
    outer = [entry and depth == least for depth, entry in zip(depths, entries, strict=True)]
    marks = [reading.number or -entry for reading, entry in zip(readings, outer, strict=True)]
    rows = [*enumerate(marks)]
    counted = _counted(leads, depths)
    numbered = sum(marks[at] > 0 for at in counted) * 2 > len(counted)
    if numbered:
        rows = _numbered_rows(counted, leads, marks, depths)
    once = named_once([mark for _, mark in rows])
    if once is None:
        return None
    kept = [rows[one][0] for one in once]
    named = [at for at, mark in rows if mark > 0]
    if not numbered and {*named} <= {*kept}:
        # What comes before the first title or after the last is talk, unless it is numbered.
        return [at for at, mark in rows if mark or named[0] <= at <= named[-1]]
    return kept


def _numbered_rows(
    counted: Sequence[int],
    leads: Sequence[int | None],
    marks: Sequence[int],
    depths: Sequence[int],
) -> list[tuple[int, int]]:
    """Return the numbered lines and what else names candidates, each list behind a gap.

    A few notes in another order contradict nothing, nor do drafts before a list that is no copy
    of the candidates.
    """

    def gapped(lines: Sequence[int]) -> list[tuple[int, int]]:
        # Each list begins anew, behind a gap.
        return [row for at in lines for row in [(at, 0)] * (leads[at] == 1) + [(at, marks[at])]]

    named = [marks[at] for at in counted if marks[at] > 0]
    start = 0 if increases(list(dict.fromkeys(named))) else counted[0]
    outer = [at for at in range(start, len(marks)) if depths[at] <= depths[counted[0]]]
    others = {marks[at] for at in {*outer} - {*counted} if marks[at] > 0}
    whole = gapped(outer)
    few = len(others) * 2 < len({*named})
    if few and named_once([mark for _, mark in whole]) is None:
        return gapped(counted)
    return whole


def _counted(leads: Sequence[int | None], depths: Sequence[int]) -> list[int]:
    """Return which lines count from 1, once or several times, without lists within those."""
    numbered = [at for at, lead in enumerate(leads) if lead is not None]
    least = min((depths[at] for at in numbered), default=0)
    outer = [at for at in numbered if depths[at] == least]
    numbers = [leads[at] for at in outer]
    follows = all(b in {1, (a or 0) + 1} for a, b in zip([0, *numbers], numbers, strict=False))
    return outer if follows and len({*numbers}) > 1 else []


def _scored(line: str, titles: Titles) -> list[int]:
    """Return the candidates that a line with a score behind a title may mean."""
    heads = (tail.head for tail in tails_of(line) if tail.kind is Kind.SCORE)
    for head in heads:
        if found := titles.find(head):
            return found
    return []


def _best_first(readings: Sequence[Reading], titles: Titles) -> list[Reading]:
    """Return lines in the order of the places before or beside them, none where that is unsure."""
    leads = [_lead(reading.line, titles) for reading in readings]
    readings = [*reversed(readings)] if counts_down(leads) else [*readings]
    placed = {reading.number: reading for reading in readings if reading.number}
    tails = [
        next((tail for tail in tails_of(one.line) if number in titles.find(tail.head)), None)
        for number, one in placed.items()
    ]
    tails = [tail if tail and tail.kind is not Kind.BARE else None for tail in tails]
    told = sum(tail is not None for tail in tails)
    counted = counts_up(leads) and not increases([*placed])
    if not told or (told * 2 <= len(placed) and not counted):
        return readings
    ordered = in_order([*placed], [*placed], tails, counted=counted)
    if [*ordered] == [*placed]:
        return readings
    unread = [reading for reading in readings if reading.number is None]
    return [*(placed[number] for number in ordered), *unread]


def _lead(line: str, titles: Titles) -> int | None:
    """Return the number before a title; `None` where it may be a part of it."""
    found = NUMBERING.match(line.lstrip("*_ "))
    number = re.search(r"\d{1,4}", found[0]) if found else None
    return int(number[0]) if number and not titles.exact(line.strip(WRAPPING)) else None


def _entries(text: str, titles: Titles) -> list[str]:
    lines = [line.rstrip()[:_LONGEST_LINE] for line in text.splitlines()[:_MOST_LINES]]
    lines = [_HEADING.sub("", line, count=1) for line in lines]
    lines = [line for line in lines if line.strip(WRAPPING)]
    listed = _json_titles(text)
    if listed is not None:
        return listed
    if (one := titled_line(lines, titles.exact)) is not None:
        return [*filter(None, one)]
    if len(lines) == 1 and not titles.find(lines[0]):
        return [part.strip() for part in re.split(r";|,\s", lines[0]) if part.strip()]
    return lines


def _json_titles(text: str) -> list[str] | None:
    """Return the titles of the last JSON that holds some, without one that is cut off."""
    listed = [
        titles for found in decoded_values(text, "titles")[0] if (titles := _held(found.value))
    ]
    return listed[-1] if listed else None


def _held(value: Any) -> list[str]:
    if is_object(value):
        lists = (inner for name, inner in value.items() if not names_no_ranking(name))
        value = next(filter(is_list, lists), None)
    if not is_list(value) or not all(isinstance(entry, str) for entry in value):
        return []
    return [str(entry)[:_LONGEST_LINE] for entry in value[:_MOST_LINES]]
