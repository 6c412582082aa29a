"""Collects questions to a model instead of asking them, so that a batch can ask them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from ..llm.structured import AnswerFormat

_MOST, _LONGEST = 10_000, 50_000_000
"""Questions, and characters of their prompts, in one batch; providers allow several times more."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        key: The key under which its answer will be looked for.
        messages: The prompt.
        answer_format: The answer's form, or `None` for free text.
    """

    key: bytes
    messages: Sequence[BaseMessage]
    answer_format: AnswerFormat | None


class Questions:
    """Takes the place of the model in a run that only collects: every call fails, unpaid.

    Attributes:
        seen: Keys of all questions so far.
    """

    def __init__(self) -> None:
        self.seen = set[bytes]()
        self._waiting: list[Question] = []
        self._length = 0

    def add(self, question: Question) -> None:
        """Take a question, unless it was asked before."""
        if question.key in self.seen:
            return
        self.seen.add(question.key)
        self._waiting.append(question)
        self._length += sum(len(message.text) for message in question.messages)

    @property
    def full(self) -> bool:
        """Whether there are enough for a batch."""
        return len(self._waiting) >= _MOST or self._length >= _LONGEST

    def take(self) -> list[Question]:
        """Return what was collected since the last time."""
        taken, self._waiting, self._length = self._waiting, [], 0
        return taken
