"""Reads a ranking out of a list of titles, however it is numbered, quoted or set in bold.

It fixes what the papers' code got wrong (cutting titles after the last ". ", splitting at ";",
HTML entities, numbering styles) and would rather leave a title unread than take it for another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Item
from .answer_json import decoded_values
from .answer_names import names_no_ranking
from .answer_numbers import comes_again, counts_down
from .answer_tails import Kind, in_order, tails_of
from .answers import WANTED, RankingAnswer
from .backwards import text_says_backwards, without_backward_titles
from .json_values import is_list, is_object
from .place_labels import without_place_labels
from .title_match import NUMBERING, WRAPPING, Titles
from .turns import said_in

_MOST_LINES = 300
_LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """One line of an answer.

    Attributes:
        line: As the model wrote it.
        number: Of the candidate that it names, or `None`.
    """

    line: str
    number: int | None


def read_titles(text: str, candidates: Sequence[Item], wanted: int = WANTED) -> RankingAnswer:
    """Read an ordered list of titles.

    Args:
        candidates: In the order of their numbers.
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
        candidates: In the order of their numbers.

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
        found = titles.find(line)
        number = next((n for n in found if n not in used), found[0] if found else None)
        if number is not None:
            used.add(number)
        readings.append(Reading(line, number))
    # What comes before the first title or after the last is talk, unless it is numbered.
    named = [place for place, reading in enumerate(readings) if reading.number is not None]
    if not named:
        return readings
    first, last = named[0], named[-1]
    preamble = "\n".join(reading.line for reading in readings[:first])
    if comes_again([reading.number or 0 for reading in readings]):
        return []
    if text_says_backwards(without_backward_titles(preamble, candidates)):
        return []
    kept = [
        reading
        for place, reading in enumerate(readings)
        if first <= place <= last or NUMBERING.match(reading.line)
    ]
    return _best_first(kept, titles)


def _best_first(readings: Sequence[Reading], titles: Titles) -> list[Reading]:
    """Return lines in the order of the places before or beside them, none where that is unsure."""
    down = counts_down([_lead(reading.line, titles) for reading in readings])
    readings = [*reversed(readings)] if down else [*readings]
    placed = {reading.number: reading for reading in readings if reading.number}
    tails = [
        next((tail for tail in tails_of(one.line) if number in titles.find(tail.head)), None)
        for number, one in placed.items()
    ]
    told = [tail for tail in tails if tail and tail.kind is not Kind.BARE]
    if len(told) * 2 <= len(placed):
        return readings
    ordered = in_order([*placed], [*placed], told) if len(told) == len(placed) else ()
    unread = [reading for reading in readings if reading.number is None]
    return [*(placed[number] for number in ordered), *unread]


def _lead(line: str, titles: Titles) -> int | None:
    """Return the number before a title; `None` where it may be a part of it."""
    found = NUMBERING.match(line)
    number = re.search(r"\d{1,3}", found[0]) if found else None
    return int(number[0]) if number and not titles.exact(line.strip(WRAPPING)) else None


def _entries(text: str, titles: Titles) -> list[str]:
    lines = [line.strip()[:_LONGEST_LINE] for line in text.splitlines()[:_MOST_LINES]]
    lines = [line for line in lines if line.strip(WRAPPING)]
    listed = _json_titles(text)
    if listed is not None:
        return listed
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
