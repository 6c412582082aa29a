"""Reads a ranking out of text that is no JSON: lines, tables and sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .answer_columns import read_entries
from .answer_entries import EntryReader
from .answer_measures import names_place, names_score
from .answer_names import names_no_ranking
from .answer_numbers import POINTED, bare_number, comes_again, counts_down, counts_up
from .declined import declines, refuses
from .loose_tables import read_blocks, read_table

_MOST_LINES = 1_000
_LONGEST_LINE = 500
_TAG = re.compile(
    r"</?(?:ol|ul|li|br|p|div|tr|table|thead|tbody)(?:\s[^<>\n]{0,100})?/?>", re.IGNORECASE
)
_CELL = re.compile(r"<t[dh](?:\s[^<>\n]{0,100})?>", re.IGNORECASE)
_CELL_END = re.compile(r"</t[dh]>", re.IGNORECASE)
_MARKS = re.compile(r"(?:(?:>|#{1,6}(?=\s))\s{0,3}){1,4}|[IVX]{1,5}[.)]\s{1,3}")
"""Of headings and quotations, and Roman numerals."""
_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.]{0,9}\d)")
_RANGE = re.compile(
    r"\d\]?\s?<\s?\[?\d|(?<![\d-])\d{1,6}\s?(?:[-\u2013\u2014]|to|through|until|bis)\s?\d{1,6}"
    r"(?!\s?[-\u2013\u2014\d])|^\W{0,5}\d{1,6}\s?(?:[-=]>|=)\s?\d{1,6}\W{0,5}$",
    re.IGNORECASE | re.MULTILINE,
)
"""Of several candidates, or with the best last; and pairs of which either may be the place."""
_COUNT = re.compile(
    r"\b(?:step|page|part|section|chapter|version|limit)\s\d|[\u20ac\u00a3]\s?\d|\$\d{1,6}\b[^$>]{1,9}\$\d|\d\s?[%\u00b0\u20ac\u00a3]"
    r"|\d\s?[+*]\s?\d|\d:\d|\d{4}-\d|\b(?:compar|consider|between\b|versus\b|vs\b|unlike\b|similar)"
    r"|\b(?:top|of(?:\s(?:the|all|these|my))?|all|the\s(?:first|last|best|other)|these)\s\d{1,6}\b"
    r"|(?<![\w.])\d{1,6}\s(?:of|more|others?|(?!fits|is\b|comes|goes|seems|looks|suits|matches|has\b"
    r"|was\b|as\b|gets)[a-z]{3,20}s)\b|[^\W\d]\d|\d(?!st\b|nd\b|rd\b|th\b)[^\W\d]",
    re.IGNORECASE,
)
"""Counts, and numbers that are part of a word."""
_TUPLE = re.compile(r"[(\[]\s?\d{1,6}\s?[,;/|]\s?\d{1,6}\s?[)\]]")
"""Two numbers of which either may be the place."""
_LISTED = re.compile(
    r"\W{0,5}(?:([^\W\d][\w '-]{0,40}?)[*_]{0,3}\s?[:=]\W{0,5})?"
    r"\d{1,6}(?:\s?(?:[,;>]|->)\s?(?:and\s)?[#*]{0,3}\d{1,6}){2,100}\W{0,5}"
)
"""A line that is a list of numbers, with or without a name."""
_WORDED = re.compile(r"(?<![^\W\d])([^\W\d_]{1,20})\s?#?\d{1,6}\s?[:=(]")
_LABELLED = re.compile(r"\W{0,6}([^\W\d_]{1,20}(?:\s[^\W\d_]{1,20})?)[*_]{0,3}\s?[:=\u2013\u2014-]")
_INLINE = re.compile(r"(?:^|\s)(?=\d{1,3}[.)]\s)")
_SENTENCE = re.compile(r"[.!?](?=\s)|\n")
_SEPARATOR = re.compile(r"[,;>]|\s(?:and|und|et|y|then)\s(?=#?\d)")
_TWO = 2


def read_loosely(text: str, reader: EntryReader) -> Sequence[int]:
    """Return the candidates' numbers, best first; none where the text is doubtful.

    Reads a table, lines that begin with numbers or are titles, one line of those, or else a
    sentence.
    """
    return () if declines(text) and _few_are_named(text) else _read(_lines(text), text, reader)


def _read(lines: list[str], text: str, reader: EntryReader) -> Sequence[int]:
    rows = read_table(lines)
    if rows is None:
        rows = read_blocks(lines)
    if rows is not None:
        return read_entries(rows, reader) or ()
    rows = [
        line for line in lines if (named := _LISTED.fullmatch(line)) and not _is_other(named[1])
    ]
    if len(rows) > 1:
        return ()
    lines = reader.without_place_labels(rows or lines)
    text = rows[0] if rows else text
    listed = _outermost([line for line in lines if reader.numbered(line.strip())])
    if len(listed) >= _TWO:
        found = () if reader.starts_anew(listed) else reader.read_lines(listed)
        if len(set(found)) < len(found) and _is_parted(lines, reader):
            return ()
        # All candidates in the order of the prompt are a copy of it, or a comment on each.
        return () if len(found) == reader.candidates > _TWO and counts_up(found) else found
    lines = [line.strip() for line in lines]
    found = _read_line(lines[0], reader) if len(lines) == 1 else reader.read_titled(lines)
    if found and comes_again(found):
        return ()
    return _read_sentence(text, reader) if found is None else found


def _few_are_named(text: str) -> bool:
    """Whether what a text says besides what it refuses names no two candidates."""
    said = [part for part in _SENTENCE.split(text) if not refuses(part)]
    return len(set(_NUMBER.findall("\n".join(said)))) < _TWO


def _read_line(line: str, reader: EntryReader) -> Sequence[int] | None:
    numbered = reader.read_numbered(_INLINE.split(line))
    if numbered:
        return numbered
    arrows = "->" in line and not set(",;") & set(line)
    parts = line.split("->") if arrows else _SEPARATOR.split(line)
    parts = [part for part in parts if part.strip()]
    all_numbered = len(parts) >= _TWO and all(map(reader.numbered, parts))
    if (all_numbered and _RANGE.search(line)) or _TUPLE.search(line):
        return ()
    if ";" in line and "," in line and all(bare_number(part) is not None for part in parts):
        return ()  # "1, 8; 2, 7": either may be the place
    if all_numbered and all(map(reader.names_candidate, parts)):
        return reader.read_lines(parts)
    return reader.read_texts(parts) if all_numbered else reader.read_titled(parts)


def _is_parted(lines: Sequence[str], reader: EntryReader) -> bool:
    """Whether other lines stand between those of a list, which may be two."""
    listed = [at for at, line in enumerate(lines) if reader.numbered(line.strip())]
    return listed[-1] - listed[0] >= len(listed)


def _is_other(name: str | None) -> bool:
    return name is not None and names_no_ranking(name)


def _lines(text: str) -> list[str]:
    text = _CELL_END.sub("|", _CELL.sub("", _TAG.sub("\n", text)))
    lines = [line[:_LONGEST_LINE].rstrip() for line in text.split("\n")[:_MOST_LINES]]
    return [unmarked for line in lines if (unmarked := _unmarked(line)).strip()]


def _unmarked(line: str) -> str:
    found = _MARKS.match(line)
    return line[found.end() :] if found else line


def _outermost(lines: Sequence[str]) -> list[str]:
    """Return the lines of a list without those of lists within it."""
    depths = [len(line) - len(line.lstrip()) for line in lines]
    return [line.strip() for line, depth in zip(lines, depths, strict=True) if depth == min(depths)]


def _read_sentence(text: str, reader: EntryReader) -> Sequence[int]:
    numbers = [int(found) for found in _NUMBER.findall(text)]
    pointed = [int(found) for found in POINTED.findall(text)]
    if pointed and len(pointed) * 2 > len(numbers):
        numbers = pointed
    elif _RANGE.search(text) or _COUNT.search(text) or reader.names_number(text):
        return ()
    if len(numbers) > _TWO and len(numbers) % 2 == 0:
        # "1: 8, 2: 7" and "8 (1), 7 (2)": half of the numbers are places.
        if counts_down(numbers[::2]) or counts_down(numbers[1::2]):
            return ()
        for places, named in ((numbers[::2], numbers[1::2]), (numbers[1::2], numbers[::2])):
            if counts_up(places) and not counts_up(named):
                if _names_scores(text) or _is_labelled(text) or reader.may_be_scores(named):
                    return ()
                numbers = named
                break
    if len(numbers) > _TWO and counts_up(numbers) and re.search(r"\d\.\d|</", text):
        return ()  # each with a score
    if _has_words_for_places(text, len(numbers)) or (
        pointed == numbers and len(numbers) > _TWO and counts_up(numbers)
    ):
        return ()  # "choice #1", "choice #2": what is pointed to may be places
    valid = [number for number in numbers if 1 <= number <= (reader.candidates or number)]
    # What is said twice may be a place and a candidate.
    return numbers if valid and len(set(valid)) == len(valid) else ()


def _has_words_for_places(text: str, most: int) -> bool:
    """Whether each line begins with a word of its own: "Best: 8", "Worst: 7"."""
    labels = [label[1].casefold() for line in text.split("\n") if (label := _LABELLED.match(line))]
    return len(labels) > 1 and len(set(labels)) == len(labels) == most


def _names_scores(text: str) -> bool:
    first = _NUMBER.search(text)
    before = text[: first.start()] if first else ""
    return names_score(before) and names_no_ranking(before)


def _is_labelled(text: str) -> bool:
    """Whether words that stand for no place, and so perhaps for a candidate, begin the pairs."""
    words = _WORDED.findall(text)
    return len(words) > 1 and not all(map(names_place, words))
