"""What a person wants with one message, told by fixed patterns of English."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from rapidfuzz import fuzz, utils

from .mentions import NO_TITLE, QUOTED, THING, Mention, clauses, mentions_in, trimmed

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
_MORE = re.compile(
    r"\b(?:more|others?|something else|anything else|again|recommend|suggest|suggestions?|"
    r"(?:what|which(?: one)?) (?:should|could|can|shall) (?:i|we)|what(?:'s| is) next)\b",
    re.IGNORECASE,
)
_GREETS = re.compile(
    r"\W*(?:(?:hi|hello|hey|help|good (?:morning|evening|day)|thanks?(?: you)?)(?: there)?\W*)?"
    r"(?:what can you do.*|who are you.*|what are you.*|are you (?:an? )?(?:ai|llm|bot|human).*)?",
    re.IGNORECASE,
)
_RATES = re.compile(
    r"(?:.*\b(?:would|will|might) i (?:(?:really|also|even) )*(?:like|enjoy|love|hate|rate)|"
    r".*\bwhat would i (?:give|rate|think of|make of)|"
    r"(?:and |so |but )?should i (?:watch|see|read|play|try)|"
    r"(?:and |so |but )?is(?=.* for me\W*$))"
    r"\s+(.+?)(?:\s+(?:something )?for me)?\W*",
    re.IGNORECASE,
)
_KNOWS = re.compile(
    r".*\b(?:do you (?:have|know)|have you got|is there|tell me (?:more )?about|what about|"
    r"what do you know about)\s+(?:a |the )?(?:" + THING + r" )?(?:called )?(.+?)\W*",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"\W*(?:and |so |but )?(?:(?:what|where|when|who|why|how|whose|which)\b.*|"
    r"(?:is|are|am|was|do|does|did|can|could|will|would)\b.*\?\W*|"
    r"(?:tell me|write|translate|explain|calculate|solve|sing|open|order|call|remind)\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_OF_OURS = re.compile(
    r"\b(?:something|anything|similar to|" + THING + r"|liked|loved|enjoyed|watched|seen)\b",
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
_PLACE = re.compile(
    r"(?:the )?(?:first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th|(?:number|#|no\.?)\s*\w+)"
    r"(?: (?:one|" + THING + r"|of (?:these|them|those)))*",
    re.IGNORECASE,
)
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
        self.greets = _GREETS.fullmatch(self.text) is not None
        self.none = _NONE.search(self.text) is not None
        self.picks = _PICKS.search(self.text) is not None

    @cached_property
    def rates(self) -> str | None:
        """The title of which it asks how the person would like it."""
        return _asked(_RATES, self._clauses[-1])

    @cached_property
    def looks_up(self) -> str | None:
        """The title of which it asks whether the catalogue has it."""
        return _asked(_KNOWS, self._clauses[-1]) if self.rates is None else None

    @cached_property
    def off_topic(self) -> bool:
        """Whether it asks for something other than items of a catalogue."""
        ours = any(words.search(self.text) for words in (_OF_OURS, _MORE, QUOTED, _PICKS))
        asks_us = ours or self.rates or self.looks_up
        return _QUESTION.fullmatch(self.text) is not None and not (asks_us or self.greets)

    @cached_property
    def mentions(self) -> list[Mention]:
        """Titles that it may name, each once."""
        if self.off_topic or self.greets:
            return []
        asked = self.rates or self.looks_up
        judged = self._clauses[:-1] if asked else self._clauses
        found = {m.title: m for clause in judged for m in mentions_in(_PICKS.sub("", clause))}
        return [*found.values(), *([Mention(asked, None)] if asked else [])]

    @cached_property
    def _clauses(self) -> list[str]:
        return clauses(self.text)

    @property
    def titles(self) -> list[str]:
        """The titles of its mentions."""
        return [mention.title for mention in self.mentions]

    @cached_property
    def more(self) -> bool:
        """Whether it asks for recommendations without a new title to go by."""
        # "More like Heat" names one.
        unnamed = all(_MORE.search(title) for title in self.titles)
        return _MORE.search(self.text) is not None and unnamed

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

    @property
    def picked_title(self) -> str | None:
        """What stands beside "I picked"."""
        return trimmed(_PICKS.sub("", self.text)).strip() or None


def listed_title(title: str, items: Sequence[Item]) -> str:
    """Return the title that "the first one" stands for, or the words themselves.

    Args:
        title: In a person's words.
        items: The list that they see.
    """
    place = Said(title).place if _PLACE.fullmatch(title) else None
    return items[place - 1]["title"] if place and place <= len(items) else title


def _asked(question: re.Pattern[str], clause: str) -> str | None:
    found = question.fullmatch(clause)
    if found is None:
        return None
    quoted = QUOTED.findall(clause)
    title = quoted[0].strip() if quoted else trimmed(found[1])
    return None if NO_TITLE.fullmatch(title) or _MORE.fullmatch(title) else title
