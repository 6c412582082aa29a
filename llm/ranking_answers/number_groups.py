"""Detects sentences with a group of numbers that is mentioned but may not be the ranking."""

# ruff: noqa: RUF001  # dashes that models write

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from .names import names_no_ranking

_MANY = 3
_ASIDE = re.compile(r"\((?=[^()\d]{0,200}\))[^()\d]{1,200}\)")
"""A remark on a candidate, in brackets."""
_SPLIT = re.compile(r":|[.;)]|\s[-–—]|[–—]\s?|(?<!,)\n")
_WORD = re.compile(r"[^\W\d_]+")
_ON = (
    "and or then next after that those these them this by comes come followed follows finally"
    " lastly last first second third d th st nd rd in at place places spot position lower top"
    " below behind the candidate candidates item items number numbers no nr id option options"
    " film films movie movies game games product products und oder dann danach zuletzt"
    " kandidat kandidaten et ou puis enfin candidat candidats y e o i luego después finalmente"
    " candidato candidatos poi infine"
)
_JOINING = frozenset(_ON.split())
"""Words that continue a list. Any other word may begin another one."""
_MENTION = re.compile(
    r"\b(?:without|excluding|excluded|omitting|omitted|removing|removed|ignoring|ignored|skipping"
    r"|skipped|dropping|dropped|except|besides|apart from|(?<!final )draft"
    r"|(?<!to )(?<!to-)(?<!to the )(?:bottom|worst)|(?P<past>seen|watched|bought)"
    r"|ohne|au\u00dfer|sans|excluant|sauf|sin|excepto|excluyendo|senza|sem|escludendo)[*_]{0,2}:?"
    r"(?:\s(?:for|of|the|all|candidates?|items?|options?|numbers?|films?|movies?|products?"
    r"|kandidaten|les|los|las|i|os|die)){0,3}[\s\"'#*_(\[]{0,4}\Z",
    re.IGNORECASE,
)
"""Words that introduce numbers which are no ranking."""
_GOES_ON = re.compile(
    r"\b(?:then|next|later|afterwards|followed (?:\w{1,12} )?by|after (?:it|that|this|them|which)"
    r"|runners?.?up|(?:the )?(?:rest|others)|gefolgt von|danach|dann|suivie?s? (?:de|par)|puis"
    r"|ensuite|seguid[oa]s? (?:de|por)|luego|despu\u00e9s|seguit[oia] da|poi|depois)"
    r"[*_]{0,2}:?[\s\"'#*_(\[]{0,4}\Z",
    re.IGNORECASE,
)
"""Words which say, after others, that a list continues."""
_OUT = re.compile(r"\b(?:not?|out|gone|less|weaker|lower?)\b|n['\u2019]t\b", re.IGNORECASE)
_LABEL = re.compile(r"([^.:;\n]{1,60}):[\s*_\"'#(\[]{0,5}\Z")
_NEAR = 100


def mentions(before: str) -> bool:
    """Whether words introduce something other than a ranking: "Without", "Excluding the films"."""
    return _MENTION.search(before) is not None


def may_mention(text: str, numbers: Sequence[re.Match[str]]) -> bool:
    """Whether a group of numbers may be mentioned without being the ranking.

    True if the first numbers are introduced as something else, or if a later group has three or
    more and the words before it do not continue the list.

    Args:
        text: One or more sentences.
        numbers: All numbers in it.
    """
    if not numbers:
        return False
    start = numbers[0].start()
    before = text[max(0, start - _NEAR) : start]
    mention = _MENTION.search(before)
    # "Based on what the user has seen: 8, 3, 5" introduces the ranking, if no other list follows.
    weighed = mention is not None and mention["past"] and ":" in mention[0]
    if mention and not weighed:
        return True
    label = _LABEL.search(before)
    may_go_on = not weighed and not (label and names_no_ranking(label[1]))
    sizes = [1]
    for one, other in pairwise(numbers):
        between = _ASIDE.sub(" ", text[one.end() : other.start()])
        if _breaks(between) and not (may_go_on and _goes_on(between)):
            sizes.append(1)
        else:
            sizes[-1] += 1
    if weighed:
        return len(sizes) > 1
    return max(sizes[1:], default=0) >= _MANY


def _goes_on(said: str) -> bool:
    """Whether words between two numbers say that the list continues, and reject nothing."""
    return bool(_GOES_ON.search(said)) and not (_OUT.search(said) or names_no_ranking(said))


def _breaks(said: str) -> bool:
    """Whether the words between two numbers begin another list."""
    words = _WORD.findall(said.lower())
    known = _JOINING.issuperset(words) and ":" not in said
    return not known or (not words and _SPLIT.search(said) is not None)
