"""What a conversation says so far, read from its messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from rapidfuzz import fuzz, utils

_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]{1,200})[\"“”„«»]")
_LEAD = re.compile(
    r"^.*?\b(?:similar to|such as|fans? of|something like|(?:film|movie|book|game|song)s? like|"
    r"liked?|lov(?:e|ed|ing)|enjoy(?:ed)?|adored?|watched|seen|saw|read|played|bought|finished|"
    r"after|about|with|for)\b[:,]?\s*",
    re.IGNORECASE | re.DOTALL,
)
_TAIL = re.compile(
    r"\s*(?:[.?!,;]|\b(?:please|too|as well|a lot|so much|very much|recently|lately|yesterday|"
    r"last (?:night|week)|the other day|and loved it|it was great|what(?:'s| is| should).*|"
    r"any (?:ideas?|suggestions?).*|recommend.*|suggest.*))\s*$",
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN = re.compile(r"\s*(?:,|;|\n|&|\band\b|\bor\b)\s*", re.IGNORECASE)
_FILLER = re.compile(
    r"^(?:(?:also|then|i|have|'ve|really|just|liked?|loved|enjoyed|watched|saw|seen|both|"
    r"the (?:film|movie|book|game)s?)\b\s*)+",
    re.IGNORECASE,
)
_PICKS = re.compile(
    r"\b(?:i(?:'ll| will| would|'d) (?:pick|take|choose|go (?:with|for)|watch|play|read|buy)|"
    r"(?<!should )(?<!can )i (?:pick(?:ed)?|take|took|choose|chose|go with|went (?:with|for))|"
    r"(?:my )?(?:pick|choice) (?:is|was))\b\s*",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"\bnone(?: of (?:these|those|them))?\b|\bno(?:thing| one| thanks)\b.*|\bnot? (?:any|one) of\b|"
    r"\bdon'?t like any\b",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:more|others?|something else|anything else|again)\b", re.IGNORECASE)
_GREETS = re.compile(
    r"^\W*(?:hi|hello|hey|help|good (?:morning|evening|day)|what can you do.*|who are you.*|"
    r"are you (?:an? )?(?:ai|llm|bot|human).*|thanks?(?: you)?)\W*$",
    re.IGNORECASE,
)
_ORDINALS = {
    word: number
    for number, words in enumerate(
        ("first|1st|one", "second|2nd|two", "third|3rd|three", "fourth|4th|four", "fifth|5th|five"),
        start=1,
    )
    for word in words.split("|")
}
_ORDINAL = re.compile(
    r"\b(?:the )?(first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th)\b|"
    r"(?:\bnumber|#|\bno\.?)\s*(\d{1,2}|one|two|three|four|five)\b|^\W*(\d{1,2})\W*$",
    re.IGNORECASE,
)
SHOWN = 5
"""Items that one answer shows."""
_ALIKE = 80
_YEAR = re.compile(r"\b(?:1[89]|20)\d\d\b")

Item = Mapping[str, Any]


class Said:
    """What a person said in one message.

    Args:
        text: The message.
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.replace("\u2019", "'").split())
        self.greets = _GREETS.match(self.text) is not None
        self.none = _NONE.search(self.text) is not None
        self.picks = _PICKS.search(self.text) is not None
        # "More like Heat" names a title.
        self.more = bool(_MORE.search(self.text)) and not (
            _QUOTED.search(self.text) or _LEAD.match(self.text)
        )

    @cached_property
    def titles(self) -> list[str]:
        """Titles that it may mention: the words in quotes, or what follows "I liked"."""
        quoted = [title.strip() for title in _QUOTED.findall(self.text) if title.strip()]
        if quoted:
            return quoted
        rest = _trimmed(_LEAD.sub("", _PICKS.sub("", self.text), count=1))
        parts = [_FILLER.sub("", _trimmed(part)).strip() for part in _BETWEEN.split(rest)]
        parts = [part for part in parts if part]
        # "Thelma and Louise" is one title.
        whole = [rest] if len(parts) > 1 else []
        return list(dict.fromkeys([*whole, *parts]))

    def chosen(self, items: Sequence[Item]) -> str | None:
        """Return the id of the listed item that is meant, by place, year or title.

        Args:
            items: As they were shown.
        """
        if self.place is not None:
            return items[self.place - 1]["id"] if self.place <= len(items) else None
        years = set(_YEAR.findall(self.text))
        dated = [item for item in items if years & set(_YEAR.findall(item.get("about", "")))]
        if len(dated) == 1:
            return dated[0]["id"]
        rest = _PICKS.sub("", self.text)
        scored = [
            (fuzz.token_set_ratio(rest, item["title"], processor=utils.default_process), item)
            for item in items
        ]
        alike = [(score, item) for score, item in scored if score >= _ALIKE]
        # Of "Alien" and "Alien 3" the longer one that fits whole is meant.
        alike.sort(key=lambda found: (-found[0], -len(found[1]["title"])))
        return alike[0][1]["id"] if alike else None

    @cached_property
    def place(self) -> int | None:
        """The place in a list that it names, such as "the second one"."""
        found = _ORDINAL.search(self.text)
        if found is None:
            return None
        word = next(group for group in found.groups() if group).lower()
        return _ORDINALS[word] if word in _ORDINALS else max(1, int(word))


def _trimmed(text: str) -> str:
    shorter = _TAIL.sub("", text)
    return shorter if shorter == text else _trimmed(shorter)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A list that was shown, which awaits feedback.

    Attributes:
        id: For the feedback.
        items: As shown, best first.
    """

    id: str
    items: Sequence[Item]

    def item(self, said: Said) -> str | None:
        """Return what was picked: a listed item's id, or a title in the person's words.

        Args:
            said: The person's message.
        """
        listed = said.chosen(self.items)
        if listed is not None or said.place is not None:
            return listed
        return _trimmed(_PICKS.sub("", said.text)).strip() or None


@dataclass
class Found:
    """What `find_titles` found.

    Args:
        titles: As it answered.
    """

    titles: Sequence[Mapping[str, Any]]
    ids: list[str] = field(default_factory=list[str])
    ambiguous: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    unknown: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    def __post_init__(self) -> None:
        """Sort the titles by what became of them."""
        typed = [title["typed"] for title in self.titles]
        whole = [t for t in typed if sum(other in t for other in typed if other != t) > 1]
        kept = self.titles
        if whole:
            first = next(title for title in self.titles if title["typed"] == whole[0])
            kept = (
                [first]
                if first["status"] == "found"
                else [title for title in self.titles if title is not first]
            )
        for title in kept:
            if title["status"] == "found":
                self.ids.append(title["items"][0]["id"])
            elif title["status"] == "ambiguous":
                self.ambiguous.append(title)
            else:
                self.unknown.append(title)


@dataclass(frozen=True, slots=True)
class Question:
    """An ambiguous title that the person was asked about.

    Attributes:
        items: Those that it could be.
        settled: Ids of the other items of that message.
    """

    items: Sequence[Item]
    settled: Sequence[str]

    def item(self, said: Said) -> str | None:
        """Return the id of the item that is meant.

        Args:
            said: The person's answer.
        """
        return said.chosen(self.items)


class Conversation:
    """The messages of a thread, read from the end.

    Args:
        messages: Oldest first.
    """

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self.length = len(messages)
        humans = [i for i, m in enumerate(messages) if isinstance(m, HumanMessage)]
        last = humans[-1] if humans else 0
        self.said = Said(messages[last].text if humans else "")
        now, before = messages[last + 1 :], messages[:last]
        self.result = now[-1] if now and isinstance(now[-1], ToolMessage) else None
        self.recommended: Recommendation | None = None
        self.question: Question | None = None
        self.liked: list[str] = []
        self.seen: set[str] = set()
        for message in before:
            self._read(message)

    def new(self, answer: Mapping[str, Any]) -> list[Item]:
        """Return the best items that were not shown before; the best of all, if none is new.

        Args:
            answer: Of `recommend`.
        """
        items: list[Item] = answer["items"]
        return ([item for item in items if item["id"] not in self.seen] or items)[:SHOWN]

    def _read(self, message: BaseMessage) -> None:
        if isinstance(message, AIMessage) and not message.tool_calls:
            return
        if isinstance(message, HumanMessage):
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
        elif message.name == "find_titles":
            found = Found(answer["titles"])
            if found.ambiguous:
                self.question = Question(found.ambiguous[0]["items"], found.ids)
