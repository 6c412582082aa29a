"""How like a title is to what a person has typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import compress

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from .forms import measures, placed_numbers

SURE = 80.0
"""At this likeness or more, a title is meant unless another one is about as likely."""
_LEAST = 70.0
"""Below this likeness a title is another title."""
_OF_A_PART = 0.92
_OF_A_WORD = 75.0
_TYPO = 77.0
"""Above this likeness, a word is another one with a typing error; "sunset" is not "sunrise"."""
_SHORT_WORD = 4
_FEW_LETTERS = 5
"""A text with fewer letters is part of everything."""


def likeliest(typed: str, forms: Sequence[str], count: int) -> list[tuple[str, float]]:
    """Return the forms that are alike enough, the likeliest first, each with its likeness.

    Args:
        typed: As for `likeness`.
        forms: All titles' forms.
        count: The highest number to return.
    """
    # A likeness is at most the higher of these two, which let other threads go on meanwhile.
    near = np.zeros(len(forms), dtype=bool)
    for scorer in (fuzz.ratio, fuzz.token_set_ratio):
        scores = process.cdist([typed], forms, scorer=scorer, score_cutoff=_LEAST, dtype=np.float32)
        near |= scores[0] > 0
    scored = [(form, likeness(typed, form)) for form in compress(forms, near)]
    alike = [pair for pair in scored if pair[1] >= _LEAST]
    return sorted(alike, key=lambda pair: -pair[1])[:count]


def likeness(typed: str, form: str) -> float:
    """Compare as wholes, and at a discount as a part, such as "fellowship of the ring".

    Args:
        typed: The folded words of what a person calls an item, separated by blanks.
        form: Likewise of a title.

    Returns:
        From 0 to 100; 100 is the same title.
    """
    whole = fuzz.ratio(typed, form)
    # A typing error is rarely the first letter: "nothing" is no "thing". Neither is it a letter
    # more at the end, which makes "Aliens" of "Alien".
    longer, shorter = sorted((typed, form), key=len, reverse=True)
    few = len(shorter) < _FEW_LETTERS
    if few or typed[0] != form[0] or longer.startswith(shorter):
        whole = min(whole, SURE - 1)
    begins = form.startswith(tuple(f"{article}{typed} " for article in ("", "the ", "a ", "an ")))
    if begins:
        whole = max(whole, _OF_A_WORD)
    part = 0.0
    if _FEW_LETTERS <= len(typed) <= len(form):
        part = _OF_A_PART * fuzz.token_set_ratio(typed, form)
    if " " not in typed or begins:  # it may be a title of its own
        part = min(part, SURE - 1)
    if max(whole, part) < SURE:
        return max(whole, part)
    if measures(typed) != measures(form):  # "Nintendo 3DS" is no typing error for "Nintendo DS"
        whole = min(whole, SURE - 1)
    if not measures(typed) <= measures(form):
        return SURE - 1
    # The 2 of "Harry Potter 2" is not that of "Harry Potter and the Deathly Hallows: Part 2".
    if part >= SURE and not placed_numbers(typed) <= placed_numbers(form):
        part = SURE - 1
    return max(whole, part) if _same_words(typed, form) else SURE - 1


def _same_words(typed: str, form: str) -> bool:
    """Whether no word replaces another, as in "Three Colours: White" and "… Blue"."""
    if typed.count(" ") != form.count(" "):
        return True
    mine, theirs = Counter(typed.split()), Counter(form.split())
    pairs = zip((mine - theirs).elements(), (theirs - mine).elements(), strict=True)
    return all(
        min(map(len, (one, other))) < _SHORT_WORD
        or _is_swap(one, other)
        or (fuzz.ratio(one, other) > _TYPO and one[0] == other[0])
        for one, other in pairs
    )


def _is_swap(one: str, other: str) -> bool:
    """Whether two letters have changed places, as in "Fier" for "Fire"."""
    return sorted(one) == sorted(other) and OSA.distance(one, other) == 1
