"""The four steps of a rating answer: their tags, their texts, and the numbers before them."""

# ruff: noqa: RUF001  # dashes that models write

from __future__ import annotations

import re
from itertools import pairwise

TAGS: tuple[str, ...] = ("analyze user", "analyze item", "match", "rate")
"""The four steps, in their order."""

_ANY_TAG = re.compile(
    r"<\s{0,9}(?P<closing>/?)\s{0,9}"
    r"(?:analyze[\s_-]{0,9}(?P<whose>user|item)|(?P<other>match|rate))\s{0,9}>",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:\A|\n)[^\w\n]{0,9}(?:step\s)?(?:\d{1,2}[.):]?)?[^\w\n]{0,9}"
    r"(?:analy[sz](?:e|ing)\s(?:the\s)?(?:user|item)|(?:user|item)\sanalysis)\b[*_\s]{0,3}[:\n–—-]",
    re.IGNORECASE,
)
"""A step's name as a title, if a model writes no tags."""
_OPENING = (
    r"(?:so|thus|hence|therefore|overall|finally|in\s(?:summary|conclusion|short|total|the\send)"
    r"|(?:based\son|given|considering|taking)\s[^\n,.:;]{1,60}),?\s"
)
_ENDS = re.compile(
    rf"{_HEADING.pattern}|<|\b(?:match|rate)\b[*_]{{0,3}}\s?[:=]|\bI\b"
    r"|\b(?:predicted|expected|estimated|final|my)[\s_:-]|\n[^\w\n]{0,9}step\s\d"
    r"|\n[^\w\n-]{0,9}(?:\d{1,2}(?:[.):]|\s[–—-]))?[^\w\n]{0,9}"
    rf"(?:{_OPENING})?(?:(?:the|a|this)\s)?(?:(?:user|item|movie|film|book|game|product)(?:'s)?\s)?"
    r"(?:match|rat(?:e|ing)|score|prediction|answer|conclusion|verdict|result)\b"
    r"|\b(?:would|will|may|might|should|could)\s(?:\w{1,12}\s){0,2}(?:rate|give|score)\b"
    r"[^\n.;|\d]{0,60}\d"
    r"|(?<=[.;|!?]\s)[*_]{0,3}(?:rating|score|prediction)\b[^\n]{0,20}\Z",
    re.IGNORECASE,
)
"""Where the text under such a title ends; a sentence that gives a rating may be the last of all."""
_LISTED = re.compile(
    r"\A\W{0,9}(?:[-•*]|\d{1,2}[.)])\s|\b(?:gave|rated|was|were|past|previous|earlier|average)\b",
    re.IGNORECASE,
)
"""An entry of a list, or what tells of the past: a prediction is neither."""
_RATES = re.compile(r"(?:rating|score|stars)\b[^\n]{0,30}\d", re.IGNORECASE)
_MARKER = re.compile(
    r"(?:\A|(?<=\n))(?P<indent>[ \t]{0,20})[^\w\n]{0,9}(?P<number>\d{1,2})"
    r"\s?[.):|–—-](?!\d)(?=(?P<name>[^\w\n]{0,9}(?:the\s)?(?:analy[sz]|(?:user|item|match)"
    r"(?:\s(?:analysis|profile|preferences))?[*_\s]{0,3}(?:[:>–—-]|\n|\Z)))?[^\w\n]{0,9}+(?!\d))",
    re.IGNORECASE,
)
"""The number of an entry that begins with words; `name` where these are a step's."""


def step_text(text: str, step: str) -> str | None:
    """Return the text from the last opening tag of a step to the next tag of any step.

    Args:
        step: One of `TAGS`. Its tag may be closed or not, and differ in case and spaces.
    """
    tags = list(_ANY_TAG.finditer(text))
    for place in range(len(tags) - 1, -1, -1):
        if _opens(tags[place]) == step:
            end = tags[place + 1].start() if place + 1 < len(tags) else len(text)
            return text[tags[place].end() : end].strip()
    return None


def without_steps(text: str) -> str:
    """Leave out the texts of the steps that come before the rating; their tags stay.

    These quote ratings from the prompt. The match may end in the rating where there is no rate tag.
    """
    text = _without_titled(text)
    tags = list(_ANY_TAG.finditer(text))
    left_out = {"analyze user", "analyze item"}
    if any(_opens(tag) == "rate" for tag in tags):
        left_out.add("match")
    kept, at = list[str](), 0
    for place, tag in enumerate(tags):
        kept.append(text[at : tag.end()])
        at = tag.end()
        if _opens(tag) in left_out:
            at = tags[place + 1].start() if place + 1 < len(tags) else len(text)
    return "".join([*kept, text[at:]])


def _without_titled(text: str) -> str:
    kept, at = list[str](), 0
    for title in _HEADING.finditer(text):
        if title.end() > at:
            kept.append(text[at : title.end()])
            end = _ENDS.search(text, title.end() - title[0].endswith("\n"))
            of_item = "item" in title[0].lower()
            at = end.start() if end else _closing(text, title.end()) if of_item else len(text)
    return "".join([*kept, text[at:]])


def _closing(text: str, start: int) -> int:
    """Return where the last line behind the last step's title begins, if it may be the answer's.

    The first line is the step's own, and one of a list of ratings is quoted.

    Args:
        start: Where the title ends.
    """
    above, _, last = text[start:].strip().rpartition("\n")
    above = above.rstrip()
    before = above.rpartition("\n")[2]
    quoted = not above or above.endswith(":") or _RATES.search(before) or _LISTED.search(last)
    return len(text) if quoted else text.rindex(last)


def without_markers(text: str) -> tuple[str, bool]:
    """Return a text without the numbers before its list's entries, and whether it begins with one.

    Two entries in a row of one list tell that it is one, or a step's name behind the first number.
    A number that stands alone before a sentence may be the rating, with a period.
    """
    last: dict[str, re.Match[str]] = {}
    markers: dict[int, int] = {}
    for found in _MARKER.finditer(text):
        before = last.get(found["indent"])
        if before is not None and int(found["number"]) == int(before["number"]) + 1:
            markers[before.start("number")] = before.end()
            markers[found.start("number")] = found.end()
        elif int(found["number"]) == 1 and found["name"]:
            markers[found.start("number")] = found.end()
        last[found["indent"]] = found
    ends = [0, *(place for marker in sorted(markers.items()) for place in marker), len(text)]
    kept = "".join(text[start:end] for start, end in list(pairwise(ends))[::2])
    begins = bool(markers) and "\n" not in text[: min(markers)].lstrip()
    return kept, begins


def _opens(tag: re.Match[str]) -> str | None:
    """Return the step that a tag opens."""
    if tag["closing"]:
        return None
    return f"analyze {tag['whose']}".lower() if tag["whose"] else tag["other"].lower()
