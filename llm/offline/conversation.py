"""What a conversation says so far, read from its messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from .lists import Item, listed_title
from .memory import Found, Opinion, Question, Recommendation
from .said import Said
from .verdicts import Verdict

SHOWN = 5
"""Items that one answer shows."""


class Conversation:
    """The messages of a thread, read from the end.

    Args:
        messages: Oldest first.

    Attributes:
        said: The last message of the person.
        result: The tool's answer that awaits words, if any.
        recommended: The list that awaits feedback, if any.
        question: What the person was asked before their last message, if anything.
        liked: Ids of what they chose or liked, oldest first.
        opinions: What they think of items, by id.
        target: The item that the last message asks about, once it is found.
        unknown: Titles of the last message that the catalogue does not have.
        seen: Ids of what was shown.
    """

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self.length = len(messages)
        self.recommended: Recommendation | None = None
        self.question: Question | None = None
        self.liked: list[str] = []
        self.opinions: dict[str, Opinion] = {}
        self.target: Item | None = None
        self.unknown: list[Mapping[str, Any]] = []
        self.seen: set[str] = set()
        self._verdicts: dict[str, Verdict | None] = {}
        humans = [i for i, m in enumerate(messages) if isinstance(m, HumanMessage)]
        last = humans[-1] if humans else 0
        for message in messages[:last]:
            self._read(message)
        self.said = self._hear(messages[last].text if humans else "")
        now = messages[last + 1 :]
        self.result = now[-1] if now and isinstance(now[-1], ToolMessage) else None
        for message in now:
            # What the last answer changes is for the next message to see.
            if message is not self.result or message.name == "find_titles":
                self._read(message)

    @property
    def titles(self) -> list[str]:
        """The titles of the last message; "the first one" by the title that it stands for."""
        return [self._title(title) for title in self.said.titles]

    @property
    def asked(self) -> str | None:
        """The title that the last message asks about."""
        asked = self.said.rates or self.said.looks_up
        return None if asked is None else self._title(asked)

    @property
    def known(self) -> set[str]:
        """Ids of what need not be recommended: it was shown, or they do not like it."""
        return self.seen | {id_ for id_, o in self.opinions.items() if not o.verdict.favours}

    def new(self, answer: Mapping[str, Any]) -> list[Item]:
        """Return the best items that were not shown before; the best of all, if none is new.

        Args:
            answer: Of `recommend`.
        """
        items: list[Item] = answer["items"]
        return ([item for item in items if item["id"] not in self.known] or items)[:SHOWN]

    def favours(self, item: Item) -> bool:
        """Whether an item may count among what the person liked.

        Args:
            item: Any.
        """
        opinion = self.opinions.get(item["id"])
        return opinion is None or opinion.verdict.favours

    def ratings(self, item: Item) -> list[Opinion]:
        """Return the rated items that are most like an item by their facts; all, if none is.

        Args:
            item: Another one.
        """
        rated = [o for o in self.opinions.values() if o.verdict.rating is not None]
        most = max((opinion.shared(item) for opinion in rated), default=0)
        return [opinion for opinion in rated if opinion.shared(item) == most]

    def _title(self, typed: str) -> str:
        return listed_title(typed, self.recommended.items if self.recommended else ())

    def _hear(self, text: str) -> Said:
        said = Said(text)
        self.target = None
        self.unknown = []
        answer = self.question.item(said) if self.question else None
        if self.question and answer:
            if self.question.verdict is None:
                self.target = answer
            else:
                self.opinions[answer["id"]] = Opinion(answer, self.question.verdict)
        self._verdicts |= {self._title(m.title): m.verdict for m in said.mentions}
        return said

    def _read(self, message: BaseMessage) -> None:
        if isinstance(message, HumanMessage):
            self._hear(message.text)
            self.question = None
        if not isinstance(message, ToolMessage) or message.status == "error":
            return
        try:
            answer = json.loads(message.text)
        except json.JSONDecodeError:
            return
        if message.name == "recommend":
            fresh = self.new(answer)
            self.liked = list(answer["history"])
            self.seen |= {item["id"] for item in fresh}
            number = answer.get("recommendation_id")
            self.recommended = Recommendation(number, fresh) if number else None
        elif message.name == "feedback":
            self.recommended = None
            if answer["picked"] is not None:
                self.liked.append(answer["picked"])
        elif message.name == "find_titles":
            self._note(Found(answer["titles"]))

    def _note(self, found: Found) -> None:
        self.unknown = found.unknown
        for typed, item in found.items.items():
            verdict = self._verdicts.get(typed, Verdict(None))
            if verdict is None:
                self.target = item
            elif item["id"] not in self.opinions or verdict.rating is not None:
                self.opinions[item["id"]] = Opinion(item, verdict)
        if found.ambiguous:
            typed = [title["typed"] for title in found.ambiguous]
            verdict = self._verdicts.get(typed[0], Verdict(None))
            settled = [item for item in found.items.values() if self.favours(item)]
            self.question = Question(found.ambiguous[0]["items"], verdict, settled, typed[1:])
