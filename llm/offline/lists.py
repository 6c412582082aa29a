"""What of a list that a person sees they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz, utils

from .mentions import THING

Item = Mapping[str, Any]
"""As the tools answer it: `id`, `title`, and mostly `about`."""

_ORDINALS = {
    word: number
    for number, words in enumerate(
        ("first|1st|one", "second|2nd|two", "third|3rd|three", "fourth|4th|four", "fifth|5th|five"),
        start=1,
    )
    for word in words.split("|")
}
_PLACES = "first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th"
# Other words after an ordinal make it part of a title, such as "First Blood".
_ORDINAL = re.compile(
    r"\b(" + _PLACES + r")"
    r"(?=\W*$|[,.;:!?)]|\W+(?:" + THING + r"|one|title|item|option|choice|pick|suggestion|"
    r"recommendation|of|on|in|from|you|i|please|thanks?|because|since|as|and|or|but|then|for|so|too|"
    r"that|which|sounds?|looks?|seems?|is|was|again|instead|now|tonight|today)\b)|"
    r"(?:\bnumber|#|\bno\.)\s*(\d{1,2}|one|two|three|four|five)\b|\bno (\d{1,2})\b|"
    r"^\W*(\d{1,2})\W*$",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"(?:the )?(?:" + _PLACES + r"|(?:number|#|no\.?)\s*\w+)"
    r"(?: (?:one|" + THING + r"|of (?:these|them|those)))*",
    re.IGNORECASE,
)
_ALIKE = 80
_YEAR = re.compile(r"\b(?:1[89]|20)\d\d\b")


def place_in(text: str) -> int | None:
    """Return the place in a list that a text names, such as "the second one".

    Args:
        text: In a person's words.
    """
    found = _ORDINAL.search(text)
    if found is None:
        return None
    word = next(group for group in found.groups() if group).lower()
    return _ORDINALS[word] if word in _ORDINALS else max(1, int(word))


def chosen_from(text: str, items: Sequence[Item]) -> str | None:
    """Return the id of the listed item that is meant, by place, year or title.

    Args:
        text: In a person's words.
        items: As they were shown.
    """
    # The year in "2001: A Space Odyssey" and the ordinal in "The Third Man" mean no other item.
    named = _named_whole(text, items)
    rest = _words_of(named[0]["title"]).sub("", text) if named else text
    place = place_in(rest)
    if place is not None:
        return items[place - 1]["id"] if place <= len(items) else None
    years = set(_YEAR.findall(rest))
    dated = [item for item in items if years & set(_YEAR.findall(item.get("about", "")))]
    if len(dated) == 1:
        return dated[0]["id"]
    if named:
        return named[0]["id"]
    scored = [
        (fuzz.token_set_ratio(text, item["title"], processor=utils.default_process), item)
        for item in items
    ]
    alike = [(score, item) for score, item in scored if score >= _ALIKE]
    alike.sort(key=lambda found: (-found[0], -len(found[1]["title"])))
    return alike[0][1]["id"] if alike else None


def listed_title(title: str, items: Sequence[Item]) -> str:
    """Return the title that "the first one" stands for, or the words themselves.

    Args:
        title: In a person's words.
        items: The list that they see.
    """
    place = place_in(title) if _PLACE.fullmatch(title) else None
    return items[place - 1]["title"] if place and place <= len(items) else title


def _named_whole(text: str, items: Sequence[Item]) -> list[Item]:
    """Return the items of the longest title that stands in a text: of "Alien 3", not "Alien"."""
    named = [
        item
        for item in items
        if place_in(item["title"]) is None and _words_of(item["title"]).search(text)
    ]
    most = max((len(item["title"]) for item in named), default=0)
    return [item for item in named if len(item["title"]) == most]


def _words_of(title: str) -> re.Pattern[str]:
    words = r"\W+".join(re.escape(word) for word in re.findall(r"\w+", title))
    return re.compile(rf"\b{words or '(?!)'}\b", re.IGNORECASE)
