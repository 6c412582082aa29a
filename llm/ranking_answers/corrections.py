"""Whether an answer takes back the ranking that it gave before."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .entries import EntryReader
from .loose_answers import read_loosely
from .sentences import REMARK_END

_TAKEN_BACK = re.compile(
    r"\W{0,5}+(?:(?:wait|no|oops|hmm|actually|sorry|hold on|but|correction|i think)\W{1,3}){0,3}"
    r"(?:(?:(?:that|this|it|the|my|above|ranking|list|order|answer|one|previous)\W{1,3}){1,4}"
    r"(?:is|was|s|were)\W{1,3}(?:actually\W{1,3}|all\W{1,3})?(?:wrong|incorrect"
    r"|not (?:right|correct)|a mistake|an? (?:error|draft)|inverted|upside down)"
    r"|(?:please\W{1,3})?(?:ignore|disregard|scratch|forget) (?:the|that|this|my|all)\b"
    r"|i (?:made|have made) (?:a mistake|an error))",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:ranking|order|answer|list|picks?|choices?|final(?:ly)?|correct(?:ed|ion)?|instead)"
    r"(?:\s(?:is|are|(?:should|would|must)\sbe)\b|\s?:)[^\w{]{0,12}"
    r"(?=\d{1,6}(?:[.)]\s|\W{1,6}(?:(?:and|then)\s){0,2}(?:(?:candidate|item)\s)?\d))",
    re.IGNORECASE,
)


def is_taken_back(after: str, numbers: Sequence[int], reader: EntryReader) -> bool:
    """Whether the text behind a ranking calls it wrong, or gives another one.

    Args:
        after: The text.
        numbers: The ranking.
        reader: Reads entries.
    """
    if any(map(_TAKEN_BACK.match, REMARK_END.split(after))):
        return True
    again = _AGAIN.search(after)
    if again is None:
        return False
    found = read_loosely(after[again.end() :].partition("\n\n")[0], reader)
    pairs = zip(found, numbers, strict=False)
    return len(found) > 1 and any(one and one != other for one, other in pairs)
