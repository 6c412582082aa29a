"""A ranking task as the offline ranker has read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..text.json_values import is_list


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as the prompt shows it.

    Attributes:
        title: Its name.
        facts: Its attributes by name: text, numbers or lists of text.
        evidence: Statistics from other sessions by name.
    """

    title: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    evidence: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class RankingDocument:
    """A ranking task as read from the messages.

    Attributes:
        history: What was chosen, oldest first; may be empty.
        candidates: What to rank.
        numbers: The candidates' numbers.
        hint: Advice on how to rank, of several hints all, or an empty text.
        evidence_meaning: What each kind of evidence means.
        tabular: Whether it stood in a table, with stats scaled to the highest candidate's.
        letters: The candidates' labels where the answer is one letter; else empty.
        as_json: Whether the answer goes back as JSON, not as titles.
        wanted: How many candidates the answer names; `None` for all.
        unhinted: What it was read from, without the hint; empty if that is not known.
    """

    history: Sequence[Entry]
    candidates: Sequence[Entry]
    numbers: Sequence[int]
    hint: str
    evidence_meaning: Mapping[str, str]
    as_json: bool
    wanted: int | None = None
    tabular: bool = False
    letters: str = ""
    unhinted: str = ""


def one_advice(hints: Sequence[str]) -> str:
    """Return several hints as one text of several sentences; the only one as it is."""
    if len(hints) <= 1:
        return "".join(hints)
    return " ".join(hint if hint[-1:] in set(".;:!?") else f"{hint}." for hint in hints)


def values_of(cell: Any) -> list[str]:
    """Return an attribute's values as text; none where it is missing."""
    if cell is None:
        return []
    return [str(part) for part in cell] if is_list(cell) else [str(cell)]
