"""Scores recorded answers instead of calling a model.

Two parsers: `strict` does what the Re2LLM authors' code does, defects included, to reproduce their
numbers; `repaired` is the one in production.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..llm.ranking_answers.title_answers import read_titles, title_readings
from ..llm.ranking_answers.title_match import plain_title
from ..records import Item, Session, counted
from .answer_file import Recorded
from .experiment import Row, target_of
from .metrics import MISSING


def score_answers(
    answers: Sequence[Recorded], sessions: Sequence[Session], items: Mapping[str, Item]
) -> tuple[list[Row], list[dict[str, Any]]]:
    """Score recorded answers with both parsers.

    Args:
        answers: The answers in the order of the sessions.

    Returns:
        A row for each parser, and every session in which they differ, with the reason.

    Raises:
        InputError: The answers do not belong to these sessions, or one has no candidates.
    """
    if len(answers) != len(sessions):
        raise InputError(
            "answers",
            f"The file holds {counted(len(answers), 'answer')} to "
            f"{counted(len(sessions), 'session')}.",
            "Give the sessions that were answered, in the same order.",
        )
    strict = np.zeros(len(sessions), dtype=np.int64)
    repaired = np.zeros(len(sessions), dtype=np.int64)
    faults: Counter[str] = Counter()
    differences: list[dict[str, Any]] = []
    for place, (answer, session) in enumerate(zip(answers, sessions, strict=True)):
        if not session.candidates:
            raise InputError(
                "sessions",
                f"Session {place + 1} has no candidates.",
                "Give the candidates that the model was asked about.",
            )
        target = items[target_of(session)]
        if answer.label is not None and plain_title(answer.label) != plain_title(target.title):
            raise InputError(
                "answers",
                f"Answer {place + 1} is about {answer.label!r}, "
                f"but its session is about {target.title!r}.",
                "Give the sessions that were answered, in the same order.",
            )
        listed = [items[key] for key in session.candidates]
        read = read_titles(answer.text, listed)
        faults.update(read.faults)
        ranked = [listed[number - 1].id for number in read.numbers]
        strict[place] = strict_rank(answer.text, answer.label or target.title)
        repaired[place] = ranked.index(target.id) + 1 if target.id in ranked else MISSING
        if strict[place] != repaired[place]:
            differences.append(
                {
                    "session": place + 1,
                    "target": target.title,
                    "strict": int(strict[place]),
                    "repaired": int(repaired[place]),
                    "why": _why(answer.text, target, listed, int(strict[place]), ranked),
                }
            )
    rows = [Row("strict", "answers", strict), Row("repaired", "answers", repaired, faults=faults)]
    return rows, differences


def strict_rank(text: str, title: str) -> int:
    """Return a title's rank as the authors' code finds it, or 0.

    What follows the last ". " of a line must be the exact title.
    """
    entries = [line.split(". ")[-1] for line in text.split("\n")]
    return entries.index(title) + 1 if title in entries else MISSING


def _why(
    text: str, target: Item, listed: Sequence[Item], strict: int, ranked: Sequence[str]
) -> str:
    """Say which defect of the strict parser, or which line, makes the difference."""
    readings = title_readings(text, listed)
    number = next((n for n, item in enumerate(listed, start=1) if item.id == target.id), None)
    at = next((place for place, reading in enumerate(readings) if reading.number == number), None)
    if at is None:
        return "Another candidate has the same title, or the line is doubtful."
    line = readings[at].line
    if strict:
        unread = [reading.line for reading in readings[:at] if reading.number is None]
        if unread:
            return f"Lines before it that name no candidate: {'; '.join(unread)}"
        return f"It stands at place {len(set(ranked[:at]))} among different candidates."
    if ". " in target.title:
        reason = 'The title itself holds ". ", and was cut there'
    elif html.unescape(line) != line or html.unescape(target.title) != target.title:
        reason = "An HTML entity on one side only"
    elif target.title in line:
        reason = "The title stands there with something around it"
    elif target.title.casefold() in line.casefold():
        reason = "Upper and lower case"
    else:
        reason = "Another spelling of the title"
    return f"{reason}: {line}"
