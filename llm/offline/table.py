"""Reads a ranking task that is written as a table: one line per item, cells between bars."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from .document import Entry, RankingDocument, one_advice

_HISTORY = re.compile(r"History: (.*)")
_CANDIDATES = re.compile(r"Candidates, (?:rank the best (\d{1,5})|name the letter of one): (.*)")
_ROW = re.compile(r"(\d{1,5}|[A-Z])\|(.*)")
_MEANING = re.compile(r"- (\w{1,60}): (.*)")
_HINT = "Hint: "
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,10})?(?:e[+-]?\d{1,3})?")


def read_table(text: str, instructions: str) -> RankingDocument | None:
    """Return the task that a message holds, or `None` if it holds none.

    Args:
        instructions: The system messages, which say what each of the stats means.
    """
    lines = text.split("\n")
    head = next((at for at, line in enumerate(lines) if _CANDIDATES.fullmatch(line)), len(lines))
    hints = [line.removeprefix(_HINT) for line in lines[head:] if line.startswith(_HINT)]
    lines[head:] = [line for line in lines[head:] if not line.startswith(_HINT)]
    document = _read("\n".join(lines), instructions)
    return replace(document, hint=one_advice(hints)) if document and hints else document


@lru_cache(maxsize=256)  # hints are tried one after the other on the same sessions
def _read(text: str, instructions: str) -> RankingDocument | None:
    """Read what a message holds beside hints."""
    past: list[list[str]] = []
    rows: list[tuple[str, list[str]]] = []
    heading: list[str] = []
    wanted = 0
    for line in text.split("\n"):
        head, row = _CANDIDATES.fullmatch(line), _ROW.fullmatch(line)
        if head and not wanted:
            wanted, heading = int(head[1] or 1), head[2].split("|")
        elif wanted and row:
            rows.append((row[1], row[2].split("|")))
        elif not wanted and line.startswith("- ") and not _HISTORY.fullmatch(line):
            past.append(line.removeprefix("- ").split("|"))
    lettered = heading[:1] == ["letter"]
    rows = [row for row in rows if row[0].isalpha() == lettered]
    if not wanted or not rows or heading[:2] not in (["#", "title"], ["letter", "title"]):
        return None
    meaning = {
        found[1]: found[2] for found in map(_MEANING.fullmatch, instructions.split("\n")) if found
    }
    stats = heading[-1].split(" ")
    known = len(heading) > len(("#", "title")) and all(name in meaning for name in stats)
    names = heading[2:-1] if known else heading[2:]
    cells = [row[1 : 1 + len(names)] for row in (*past, *(row for _, row in rows))]
    kinds = {
        name: _kind([row[at] for row in cells if at < len(row)]) for at, name in enumerate(names)
    }
    return RankingDocument(
        history=[_entry(row, names, kinds) for row in past],
        candidates=[
            _entry(row, names, kinds, _stats(row[-1], stats) if known else {}) for _, row in rows
        ],
        numbers=[place if lettered else int(row[0]) for place, row in enumerate(rows, start=1)],
        hint="",
        evidence_meaning=meaning if known else {},
        as_json=True,
        wanted=wanted,
        tabular=True,
        letters="".join(label for label, _ in rows) if lettered else "",
        unhinted=f"{instructions}\n{text}",
    )


def _kind(cells: Sequence[str]) -> type:
    filled = [cell for cell in cells if cell]
    if all(map(_NUMBER.fullmatch, filled)):
        return float
    return list if any(", " in cell for cell in filled) else str


def _entry(
    row: Sequence[str],
    names: Sequence[str],
    kinds: Mapping[str, type],
    stats: Mapping[str, float] | None = None,
) -> Entry:
    facts: dict[str, Any] = {}
    for name, cell in zip(names, row[1:], strict=False):
        if cell and kinds[name] is float:
            facts[name] = float(cell) if any(c in cell for c in ".e") else int(cell)
        elif cell:
            facts[name] = cell.split(", ") if kinds[name] is list else cell
    return Entry(row[0], facts, stats or {})


def _stats(cell: str, names: Sequence[str]) -> Mapping[str, float]:
    values = cell.split(" ")
    if len(values) > len(names) or not all(map(_NUMBER.fullmatch, values)):
        return {}
    # Zeros at the end are left out.
    return dict.fromkeys(names, 0.0) | dict(zip(names, map(float, values), strict=False))
