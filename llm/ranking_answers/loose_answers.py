"""Reads a ranking out of text that is no JSON: lines, tables and sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..text.declined import declines, refuses
from .columns import read_entries
from .entries import EntryReader
from .loose_tables import read_blocks, read_table
from .measures import increases
from .names import names_no_ranking
from .numbers import FEW, bare_number, counts_up, named_once, numbered_lists
from .one_line import titled_line
from .refused import is_refused
from .sentence_answers import NUMBER, NUMBERING, RANGE, read_sentence
from .sentences import SENTENCE_END

_MOST_LINES = 1_100
_LONGEST_LINE = 500
_TAG = re.compile(
    r"</?(?:ol|ul|li|br|p|div|tr|table|thead|tbody)(?:\s[^<>\n]{0,100})?/?>", re.IGNORECASE
)
_CELL = re.compile(r"<t[dh](?:\s[^<>\n]{0,100})?>", re.IGNORECASE)
_CELL_END = re.compile(r"</t[dh]>", re.IGNORECASE)
_MARKS = re.compile(r"(?:(?:>|#{1,6}(?=\s))\s{0,3}){1,4}|[IVX]{1,5}[.)]\s{1,3}")
"""Marks of headings and quotations, and Roman numerals."""
_TUPLE = re.compile(r"[(\[]\s?\d{1,6}\s?[,;/|]\s?\d{1,6}\s?[)\]]")
"""Two numbers; either may be the place."""
_LISTED = re.compile(
    r"\W{0,5}(?:([^\W\d][\w '-]{0,40}?)[*_]{0,3}\s?[:=]\W{0,5})?"
    r"\d{1,6}(?:\s?(?:[,;>]|->)\s?(?:and\s)?[#*]{0,3}\d{1,6}){2,100}\W{0,5}"
)
"""A line that is a list of numbers, with or without a name."""
_BULLET, _BOLD = re.compile(r"[-*+\u2022\u2013]\s"), ("**", "__")
_INLINE = re.compile(r"(?:^|\s)(?=\d{1,3}[.)]\s)")
_SEPARATOR = re.compile(r"[,;>]|\s(?:and|und|et|y|then)\s(?=#?\d)")


def read_loosely(text: str, reader: EntryReader) -> Sequence[int]:
    """Return the candidates' numbers, best first; none where the text is doubtful.

    Reads a table, lines that begin with numbers or are titles, one line of those, or else a
    sentence.
    """
    plain = reader.without_refusals(text)
    if declines(plain) and _few_are_named(text, reader):
        return ()
    found = _read(_lines(text), text, reader)
    return () if is_refused(plain, found, reader.candidates, reader.named) else found


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
    listed = _outermost([line for line in lines if reader.is_entry(line.strip())])
    if len(listed) > 1:
        found = _read_runs(listed, reader)
        if len(set(found)) < len(found) and _is_parted(lines, reader):
            return ()
        if _is_denied(found, lines, reader):
            return ()
        # All candidates in the order of the prompt are a copy of it, or a comment on each.
        return () if len(found) == reader.candidates > FEW and counts_up(found) else found
    if (titled := titled_line(lines, reader.called)) is not None:
        found = reader.read_titled(titled[1:]) or ()
    elif len(lines) == 1:
        found = _read_line(lines[0].strip(), reader)
    else:
        found = _read_titled(lines, reader)
    if found is None and len(lines) > 1:
        found = _read_inline(lines, reader)
    return read_sentence(text, reader) if found is None else found


def _read_runs(listed: Sequence[str], reader: EntryReader) -> Sequence[int]:
    """Return the candidates of numbered lines; of several lists, if all are of one order."""
    runs = [run for run in numbered_lists(listed) if any(reader.read_texts(run) or ())]
    if len(runs) <= 1:
        return reader.read_lines(runs[0] if runs else listed)
    reads = [reader.read_lines(run) for run in runs]
    most = max(reads, key=len)
    if not all(read and {*read} <= {*most} for read in reads):
        return ()
    return () if named_once([one for read in reads for one in (*read, 0)]) is None else most


def _read_titled(lines: Sequence[str], reader: EntryReader) -> Sequence[int] | None:
    """Return the candidates of lines that are titles, without the talk around them."""
    depths = [len(line) - len(line.lstrip()) for line in lines]
    lines = [line.strip() for line in lines]
    bullets = [_BULLET.match(line) is not None for line in lines]
    least = min((depth for depth, one in zip(depths, bullets, strict=True) if one), default=0)
    entries = [one and depth == least for depth, one in zip(depths, bullets, strict=True)]
    named = [reader.named(line) or -entry for line, entry in zip(lines, entries, strict=True)]
    kept = named_once(named)
    if kept is None:
        return ()
    many = sum(one > 0 for one in named) * 2 > len(lines)
    marked = [entry or line.startswith(_BOLD) for line, entry in zip(lines, entries, strict=True)]
    bulleted = sum(named[at] > 0 and marked[at] for at in kept) > 1
    if not (many or bulleted):
        return reader.read_titled(lines)
    return reader.read_titled([lines[at] for at in kept])


def _is_denied(found: Sequence[int], lines: Sequence[str], reader: EntryReader) -> bool:
    """Whether lines without numbers, in another order, may be the answer after a numbered draft.

    A few notes are none, nor is a draft before a list that is no copy of the candidates.
    """
    entries = [reader.is_entry(line.strip()) for line in lines]
    depths = [len(line) - len(line.lstrip()) for line in lines]
    least = min(depth for depth, entry in zip(depths, entries, strict=True) if entry)
    start = 0 if increases(found) else entries.index(True)
    others = [
        reader.named(line.strip())
        for line, depth, entry in list(zip(lines, depths, entries, strict=True))[start:]
        if depth <= least and not entry
    ]
    many = len({*others} - {0}) * 2 >= len({*found} - {0})
    return many and named_once([*dict.fromkeys(found), 0, *others]) is None


def _few_are_named(text: str, reader: EntryReader) -> bool:
    """Whether what a text says besides what it refuses names no two candidates."""
    parts = SENTENCE_END.split(text)
    said = [part for part in parts if not refuses(reader.without_refusals(part))]
    titled = {reader.named(part.strip()) for part in said} - {0}
    return max(len(set(NUMBER.findall("\n".join(said)))), len(titled)) <= 1


def _read_inline(lines: Sequence[str], reader: EntryReader) -> Sequence[int] | None:
    """Return the candidates of the one line that is a numbered list, `None` if there is none."""
    rows = [line for line in lines if len(NUMBERING.findall(line)) > FEW]
    found = [read for line in rows if (read := _read_line(line, reader))]
    return (found[0] if len(found) == 1 else ()) if found else None


def _read_line(line: str, reader: EntryReader) -> Sequence[int] | None:
    numbered = reader.read_numbered(_INLINE.split(line))
    if numbered:
        return numbered
    arrows = "->" in line and not set(",;") & set(line)
    parts = line.split("->") if arrows else _SEPARATOR.split(line)
    parts = [part for part in parts if part.strip()]
    all_numbered = len(parts) > 1 and all(map(reader.numbered, parts))
    if (all_numbered and RANGE.search(line)) or _TUPLE.search(line):
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
    if found is None:
        return line
    return f"**{line[found.end() :]}" if "#" in found[0] else line[found.end() :]


def _outermost(lines: Sequence[str]) -> list[str]:
    """Return the lines of a list without those of lists within it."""
    depths = [len(line) - len(line.lstrip()) for line in lines]
    return [line.strip() for line, depth in zip(lines, depths, strict=True) if depth == min(depths)]
