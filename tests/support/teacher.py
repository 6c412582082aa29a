"""A scripted model that ranks the target where a test wants it, and proposes the test's hints."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from langchain_core.messages import BaseMessage
from prompts import document_of
from re2llm.data.sample import load_films
from re2llm.records import Session

FILMS = {film.id: film for film in load_films()}
FAR = 20
"""A rank that is a miss."""


def ranking_task(messages: Sequence[BaseMessage]) -> dict[str, Any] | None:
    """Return the document that a message list asks to rank, if it does."""
    if any(message.type == "ai" for message in messages) or len(messages) != 2:
        return None
    with suppress(ValueError):
        return document_of(messages)
    return None


class Teacher:
    """Ranks each session's target where the test wants it, and proposes the test's hints.

    Args:
        hints: What it answers when it is asked for hints.
        place: The target's rank, from the hint and the titles of the history.
        same: What it answers when it is asked whether a hint repeats another.
        sessions: Whose targets it knows.
    """

    def __init__(
        self,
        hints: Sequence[str],
        place: Callable[[str | None, tuple[str, ...]], int],
        *,
        same: str = "0",
        sessions: Sequence[Session],
    ) -> None:
        self.hints, self.place, self.same = hints, place, same
        self.targets = {titles(session): title(session.target) for session in sessions}

    def __call__(self, messages: Sequence[BaseMessage]) -> str:
        document = ranking_task(messages)
        if document is not None:
            return self.ranking(document)
        last = messages[-1].text
        if "new_hint" in last:
            return self.same
        return json.dumps({"hints": list(self.hints)}) if '{"hints"' in last else "Because."

    def ranking(self, document: dict[str, Any]) -> str:
        history = tuple(entry["title"] for entry in document["history"])
        target = self.targets[history]
        numbers = [entry["number"] for entry in document["candidates"]]
        chosen = next(e["number"] for e in document["candidates"] if e["title"] == target)
        numbers.remove(chosen)
        numbers.insert(self.place(document.get("hint"), history) - 1, chosen)
        return json.dumps({"ranking": numbers})


def title(item: str | None) -> str:
    assert item is not None
    return FILMS[item].title


def titles(session: Session) -> tuple[str, ...]:
    return tuple(title(item) for item in session.history)
