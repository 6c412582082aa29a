"""What a person wants with one message, told by fixed patterns of English."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from .lists import Item, chosen_from, place_in
from .mentions import NO_TITLE, QUOTED, THING, Mention, clauses, mentions_in, trimmed

_PICKS = re.compile(
    r"\b(?:i(?:'ll| will| would|'d) (?:pick|take|choose|go (?:with|for)|watch|play|read|buy)|"
    r"(?<!should )(?<!can )i (?:pick(?:ed)?|take|took|choose|chose|go with|went (?:with|for))|"
    r"(?:my )?(?:pick|choice) (?:is|was))\b\s*",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"\bnone of (?:these|those|them)\b|\bnot? (?:any|one) of\b|\bdon'?t like any\b|\bno thanks\b|"
    r"^\W*no(?:pe)?\W*$|"
    # "I liked Nothing But Trouble" names a title.
    r"(?<!liked )(?<!loved )(?<!enjoyed )(?<!watched )(?<!hated )\b(?:none|nothing|no one)\b|"
    r"\b(?:none|nothing|no one)(?: (?:here|there|at all|on|in|from)\b|\W*$)",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:more|others?|something else|anything else|again|recommend|suggest|suggestions?|"
    r"(?:what|which(?: one)?) (?:should|could|can|shall) (?:i|we)|what(?:'s| is) next)\b",
    re.IGNORECASE,
)
_GREETS = re.compile(
    r"\W*(?:(?:hi|hello|hey|help|good (?:morning|evening|day)|(?:good)?bye|thanks?(?: you)?)"
    r"(?: there)?(?:\W+that(?:'s| is| was) all)?\W*)?"
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


class Said:
    """What a person said in one message.

    Args:
        text: The message.
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.replace("\u2019", "'").split())
        self.greets = _GREETS.fullmatch(self.text) is not None
        self.none = _NONE.search(QUOTED.sub("", self.text)) is not None
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
        return chosen_from(_PICKS.sub("", self.text), items)

    @cached_property
    def place(self) -> int | None:
        """The place in a list that it names, such as "the second one"."""
        return place_in(self.text)

    @property
    def picked_title(self) -> str | None:
        """What stands beside "I picked"."""
        return trimmed(_PICKS.sub("", self.text)).strip() or None


def _asked(question: re.Pattern[str], clause: str) -> str | None:
    found = question.fullmatch(clause)
    if found is None:
        return None
    quoted = QUOTED.findall(clause)
    title = quoted[0].strip() if quoted else trimmed(found[1])
    return None if NO_TITLE.fullmatch(title) or _MORE.fullmatch(title) else title
