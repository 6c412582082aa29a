"""What a person thinks of an item, in their words and as a rating."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOWEST, HIGHEST = 1.0, 5.0
_FAVOURABLE = 3.0
_NUMBER = re.compile(
    r"\b(\d+(?:\.\d+)?)\s*(?:stars?\b|(?:/|out of|of)\s*(5|10|five|ten)\b)", re.IGNORECASE
)
_LIKENESS = re.compile(
    r"\b(?:similar to|such as|(?:something|anything|more|film|movie|book|game|song)s? like)\b",
    re.IGNORECASE,
)
_HATED = r"\bhated?|\bcan(?:'t|not) stand|\bcouldn't stand|\bawful|\bterrible|\bworst"
_DISLIKED = (
    r"\b(?:did|do)(?:n't| not) (?:really )?(?:like|enjoy|love|care for|work)|\bdislike[ds]?|"
    r"\bleft me cold|\bbor(?:ed|ing)|\bdisappoint(?:ed|ing)|\boverrated|^not|\bbad"
)
_MIXED = r"\bok(?:ay)?|\bfine|\bso-so"
_LOVED = (
    r"(?<!'d )(?<!would )\blov(?:e|ed|ing)|\badored?|\bfavou?rites?|\bamazing|\bbrilliant|"
    r"\bfantastic|\bmasterpiece|\bgreat"
)
_LIKED = r"\bliked?|\benjoy(?:ed)?|\bgood|\bfans? of"
# The first that fits counts: "did not like" before "like".
_RATINGS = [
    (rating, re.compile(rf"(?:{words})\b", re.IGNORECASE))
    for rating, words in (
        (1.0, _HATED),
        (2.0, _DISLIKED),
        (3.0, _MIXED),
        (5.0, _LOVED),
        (4.0, _LIKED),
    )
]
_VERB = re.compile(
    r"\b(loved|adored|liked|enjoyed|watched|saw|read|played|bought|finished)\b|"
    r"\bi (?:really |also |just )*(love|adore|like|enjoy)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody thinks of an item.

    Attributes:
        rating: From 1 to 5, or `None` if they did not say.
        verb: Theirs, such as "loved"; "named" if they used none.
    """

    rating: float | None
    verb: str = "named"

    @property
    def favours(self) -> bool:
        """Whether it speaks for more of the kind; to have chosen an item at all does."""
        return self.rating is None or self.rating >= _FAVOURABLE


def verdict_of(clause: str) -> Verdict:
    """Read a verdict.

    Args:
        clause: Such as "but Titanic left me cold".
    """
    if _LIKENESS.search(clause):
        return Verdict(None)
    number = _NUMBER.search(clause)
    if number is not None:
        most = 10.0 if (number[2] or "").lower() in {"10", "ten"} else HIGHEST
        rating = min(max(float(number[1]) * HIGHEST / most, LOWEST), HIGHEST)
    else:
        rating = next((rating for rating, words in _RATINGS if words.search(clause)), None)
    verb = _VERB.search(clause)
    if verb is not None:
        return Verdict(rating, (verb[1] or verb[2]).lower())
    return Verdict(rating, "liked" if rating is not None and rating > _FAVOURABLE else "named")
