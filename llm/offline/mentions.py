"""The titles that a person may mention, and what they think of each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .verdicts import Verdict, verdict_of

THING = r"(?:film|movie|book|game|song|show|album)s?"
QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]{1,200})[\"“”„«»]")
NO_TITLE = re.compile(
    r"(?:next|now|then|tonight|today|it|that|this|them|those|one|anything|something|"
    r"(?:can|could|would|will) you)?",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"(?<=[.!?;])\s+(?=(?:i|we|my|and|but|also|what|would|how|will|can|could|please|any|do|is)\b)|"
    r"\s*,\s*(?:but|although|though)\s+|"
    r"\s+but\s+(?=(?:i|we|not|hated|disliked|didn't|did)\b)|"
    # A new subject with a verdict of its own: "Titanic was boring".
    r"(?:(?<=[.!?;])|\s+(?-i:but))\s+(?=[^,;.!?]{2,60}?\s"
    r"(?:was|were|left me cold|did(?:n't| not) work|(?:bored|disappointed) me)\b)|"
    r"\s+and\s+(?=(?:i\s+)?(?:hated|disliked|loved|liked|enjoyed|didn't)\s+(?!it\b|like it\b))",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^.*?\b(?:similar to|such as|fans? of|something like|" + THING + r" like|"
    r"(?:dis)?liked?|lov(?:e|ed|ing)|enjoy(?:ed)?|adored?|hated?|care for|stand|"
    r"watched|seen|saw|read|played|bought|finished|gave|give|rated?|"
    r"favou?rites?(?: " + THING + r")? (?:is|are|was|were)|"
    r"after|about|with|for)\b[:,]?\s*",
    re.IGNORECASE | re.DOTALL,
)
_JUDGED = re.compile(
    r"^(?:and |also )?(.{2,}?)\s+(?:left me cold|did(?:n't| not) work|(?:bored|disappointed) me|"
    r"(?:was|were|is|are)\s+(?:(?:really|so|too|just|quite|rather|a bit|not|my)\s+)*"
    r"(?:bad|good|great|awful|terrible|boring|amazing|brilliant|fantastic|ok(?:ay)?|fine|"
    r"disappointing|favou?rites?|so-so|overrated)\b).*$",
    re.IGNORECASE | re.DOTALL,
)
_TAIL = re.compile(
    r"\s*(?:[.?!,;:]|\b(?:please|too|as well|a lot|so much|very much|recently|lately|yesterday|"
    r"tonight|today|tomorrow|last (?:night|week)|the other day|and loved it|it was great|"
    r"(?:with )?[\d.]+ stars?|(?:with )?[\d.]+\s*(?:/|of|out of)\s*(?:5|10|five|ten)|"
    r"what(?:'s| is| should).*|any (?:ideas?|suggestions?).*|recommend.*|suggest.*))\s*$",
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN = re.compile(r"\s*(?:,|;|\n|&|\band\b|\bor\b)\s*", re.IGNORECASE)
_FILLER = re.compile(
    r"^(?:(?:also|then|not|i|have|'ve|really|just|liked?|loved|enjoyed|hated|watched|saw|seen|both|"
    r"the (?:film|movie|book|game)s?)\b\s*)+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that may be a title.

    Attributes:
        title: In the person's words.
        verdict: What they think of it; `None` if they ask about it.
    """

    title: str
    verdict: Verdict | None


def clauses(text: str) -> list[str]:
    """Return the parts of a message that may each hold a verdict of their own.

    Args:
        text: One message.
    """
    return _CLAUSES.split(text)


def mentions_in(clause: str) -> list[Mention]:
    """Return the words in quotes, or what stands beside "I liked" and its kin.

    Args:
        clause: Of `clauses`.
    """
    titles = _titles(clause)
    rest = clause
    for title in sorted(titles, key=len, reverse=True):
        # The Bad Boys may have been loved.
        rest = re.sub(rf"(?<!\w){re.escape(title)}(?!\w)", " ", rest)
    verdict = verdict_of(rest)
    return [Mention(title, verdict) for title in titles]


def trimmed(text: str) -> str:
    """Return a title without what often follows one, such as "too" or a full stop.

    Args:
        text: The end of a sentence.
    """
    shorter = _TAIL.sub("", text)
    return shorter if shorter == text else trimmed(shorter)


def _titles(clause: str) -> list[str]:
    quoted = [title.strip() for title in QUOTED.findall(clause) if title.strip()]
    if quoted:
        return quoted
    judged = _JUDGED.match(clause)
    rest = trimmed(judged[1] if judged else _LEAD.sub("", clause, count=1))
    parts = [_FILLER.sub("", trimmed(part)).strip() for part in _BETWEEN.split(rest)]
    parts = [part for part in parts if not NO_TITLE.fullmatch(part)]
    # "Thelma and Louise" is one title.
    whole = [rest] if len(parts) > 1 else []
    return list(dict.fromkeys([*whole, *parts]))
