"""Reads a ranking out of text that is no JSON: lines, tables and sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .answer_columns import read_entries
from .answer_entries import POINTED, EntryReader, bare_number, counts_up, pointed_numbers

_MOST_LINES = 1_000
_LONGEST_LINE = 500
_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.]{0,9}\d)")
_RULE = frozenset("|-: ")
_TWO = 2


def read_loosely(text: str, candidates: int, reader: EntryReader) -> Sequence[int]:
    """Return the candidates' numbers, best first; none where the text is doubtful.

    Reads a table, lines that begin with numbers or are titles, one line of those, or else a
    sentence.
    """
    lines = [line.strip()[:_LONGEST_LINE] for line in text.split("\n")[:_MOST_LINES]]
    lines = [line for line in lines if line and not line.isspace()]
    rows = [line for line in lines if line.startswith("|")]
    if len(rows) >= _TWO:
        return _read_table(rows, reader) or ()
    listed = [line for line in lines if reader.numbered(line)]
    if len(listed) >= _TWO:
        return reader.read_texts(listed) or pointed_numbers(listed)
    found = reader.read_titles(lines) if len(lines) >= _TWO else None
    if len(lines) == 1:
        parts = [part for part in re.split(r"[,;>]", lines[0]) if part.strip()]
        all_numbered = len(parts) >= _TWO and all(map(reader.numbered, parts))
        found = reader.read_texts(parts) if all_numbered else reader.read_titles(parts)
    return _read_sentence(text, candidates) if found is None else found


def _read_table(lines: Sequence[str], reader: EntryReader) -> Sequence[int] | None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [row for row, line in zip(rows, lines, strict=True) if not _RULE.issuperset(line)]
    if rows and not any(bare_number(cell) is not None for cell in rows[0]):
        head, *rows = rows
        return read_entries([dict(zip(head, row, strict=False)) for row in rows], reader)
    return read_entries(rows, reader)


def _read_sentence(text: str, candidates: int) -> Sequence[int]:
    pointed = [int(found) for found in POINTED.findall(text)]
    numbers = pointed or [int(found) for found in _NUMBER.findall(text)]
    if len(numbers) > _TWO and len(numbers) % 2 == 0:
        # "1: 8, 2: 7" and "8 (1), 7 (2)": half of the numbers are places.
        for places, named in ((numbers[::2], numbers[1::2]), (numbers[1::2], numbers[::2])):
            if counts_up(places) and not counts_up(named):
                numbers = named
                break
    valid = [number for number in numbers if 1 <= number <= candidates]
    # What is said twice may be a place and a candidate.
    return numbers if valid and len(set(valid)) == len(valid) else ()
