"""Finds tables in text that is no JSON: of Markdown, CSV or HTML, or as named lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from .key_names import is_numbered
from .measures import names_place, names_score
from .numbers import bare_number

_RULE = frozenset("|-:+ ")
_PAIR = re.compile(
    r"[\s*_\u2022-]{0,9}((?:[^\W\d]|\u2116)[\w .#\u00b0\u2116]{0,30}?)"
    r"[\s*_]{0,4}[:=]\s{0,3}(\S.{0,200})"
)
_CANDIDATE = re.compile(
    r"\b(?:candidat\w?|kandidat|number|item|id|title|film|movie|name|titel|titre)\b|^#$",
    re.IGNORECASE,
)
_NAME_WORDS = 2
"""Most words of a column's name."""


def read_table(lines: Sequence[str]) -> list[Any] | None:
    """Return the rows of the last table, as objects if it has a heading; `None` without one.

    Args:
        lines: None of them empty.
    """
    for sign in "|\t;,":
        heads = [at for at, line in enumerate(lines) if sign in line and _is_head(line, sign)]
        if heads:
            head = _cells(lines[heads[-1]], sign)
            body = _body(lines[heads[-1] + 1 :], sign)
            if any(len(row) != len(head) for row in body):
                return []
            return [dict(zip(head, row, strict=True)) for row in body] or None
    rows = [line for line in lines if line.lstrip().startswith("|")]
    return _body(rows, "|") if len(rows) > 1 else None


def read_blocks(lines: Sequence[str]) -> list[dict[str, str]] | None:
    """Return the objects that are written as lines such as "Rank: 1" and "Candidate: 5"."""
    rows: list[dict[str, str]] = []
    for line in lines:
        found = _PAIR.fullmatch(line)
        if found is None:
            continue
        key = found[1].lower()
        if not rows or key in rows[-1]:
            rows.append({})
        rows[-1][key] = found[2].strip(" *_,")
    shared = set(rows[0]).intersection(*rows) if rows else set[str]()
    told = any(map(names_place, shared)) or any(map(names_score, shared))
    known = told and any(map(_names_candidate, shared))
    return rows if len(rows) > 1 and known else None


def _body(lines: Sequence[str], sign: str) -> list[list[str]]:
    table = takewhile(lambda line: sign in line, lines)
    return [_cells(line, sign) for line in table if not _RULE.issuperset(line)]


def _cells(line: str, sign: str) -> list[str]:
    bare = line.strip()
    if sign == "|":
        bare = bare.removeprefix("|").removesuffix("|")
    return [cell.strip(' \t*_`"') for cell in bare.split(sign)]


def _is_head(line: str, sign: str) -> bool:
    cells = _cells(line, sign)
    words = all(
        not any(map(str.isdigit, cell)) and len(cell.split()) <= _NAME_WORDS for cell in cells
    )
    named = any(names_place(c) or names_score(c) or _heads_candidates(c) for c in cells)
    return len(cells) > 1 and words and named and bare_number(cells[0]) is None


def _names_candidate(name: str) -> bool:
    return is_numbered(name) or _CANDIDATE.search(name) is not None


def _heads_candidates(cell: str) -> bool:
    known = all(map(is_numbered, cell.split())) and cell.lower() not in {"no", "n", "id"}
    return known or _CANDIDATE.search(cell) is not None
