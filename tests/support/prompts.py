"""Reads the ranking prompt's table with as little code as a test needs, for scripted models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from re2llm.llm.ranking_prompts.ranking_prompt import RANKING_PROMPT_VERSION
from re2llm.prompt_versions import PromptVersion

ALONE_VERSION = str(PromptVersion(RANKING_PROMPT_VERSION, expected=True))
"""Of the prompt where the model alone ranks, as in tests that say nothing else."""

_HEADING = re.compile(r"Candidates, rank the best (\d+): #\|(.*)")


def document_of(messages: Sequence[BaseMessage]) -> dict[str, Any]:
    """Return what a ranking prompt shows."""
    return read_document(messages[1].text)


def read_document(text: str) -> dict[str, Any]:
    """Return history, candidates, `wanted` and, if there is one, the hint of a user message.

    Raises:
        ValueError: It is no ranking prompt.
    """
    before, found, after = text.partition("\nCandidates, ")
    heading, *rows = (found[1:] + after).split("\n")
    head = _HEADING.fullmatch(heading)
    if head is None:
        raise ValueError(text)
    names = head[2].split("|")
    _, *past = before.split("\n")
    document: dict[str, Any] = {
        "wanted": int(head[1]),
        "history": [_entry(names, line.removeprefix("- ").split("|")) for line in past],
    }
    hints: list[str] = []
    while rows[-1].startswith("Hint: "):
        hints.insert(0, rows.pop().removeprefix("Hint: "))
    if hints:
        document["hint"] = hints[0]
    if len(hints) > 1:
        document["hints"] = hints
    split = [row.split("|") for row in rows]
    document["candidates"] = [{"number": int(row[0]), **_entry(names, row[1:])} for row in split]
    return document


def _entry(names: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    entry: dict[str, Any] = dict(zip(names, cells, strict=False))
    stats = names[-1].split(" ")
    if len(stats) > 1 and names[-1] in entry:
        values = [int(value) for value in entry.pop(names[-1]).split(" ")]
        entry["evidence"] = dict(zip(stats, [*values, *[0] * len(stats)], strict=False))
    return entry
