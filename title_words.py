"""Words and numerals of titles, as every package compares them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_CACHED_TITLES = 20_000
"""Titles whose words are kept in memory: 15 MB at most."""
_SHORT = 3
"""Letters of words that two titles may share by chance: "the", "and", "of"."""
_ROMAN = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx"
_SPELT = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
DIGITS = {
    word: str(number)
    for numerals in (_ROMAN, _SPELT)
    for number, word in enumerate(numerals.split(), start=1)
}
"""Roman and spelt numerals up to 20, in lower case, as digits."""


@lru_cache(_CACHED_TITLES)
def title_words(title: str) -> frozenset[str]:
    """Return the words of a title that tell it from others, in lower case."""
    words = "".join(c if c.isalnum() else " " for c in title.lower()).split()
    return frozenset(word for word in words if len(word) > _SHORT)


def series_scores(candidates: Sequence[str], history: Sequence[str]) -> list[float]:
    """Score each candidate by how many words it shares with one title of the history.

    Args:
        candidates: Titles.
        history: Titles.

    Returns:
        The Jaccard index with the closest title, 0 to 1, one for each candidate.
    """
    past = [title_words(title) for title in history]
    known = frozenset[str]().union(*past)

    def score(words: frozenset[str]) -> float:
        if known.isdisjoint(words):  # as most are
            return 0.0
        return max(len(words & its) / len(words | its) for its in past)

    return [score(title_words(title)) for title in candidates]


def without_accents(text: str) -> str:
    """Return text in compatible forms of its letters (NFKD), without combining marks."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
