"""Reads titles that stand on one line: "My ranking: Aliens, Heat, Up"."""

# ruff: noqa: RUF001  # dashes that models write

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from .number_groups import mentions

_SEPARATORS = ("; ", " -> ", " > ", " | ", " → ", ", ", ";", ">", ",")
_LEAD = re.compile(
    r"\W{0,3}(?:[^:\n]{1,100}:|[^\n–—-]{1,60}\s[-–—]\s"
    r"|(?:[\w'’,]{1,15}\s){0,10}?(?:pick|recommend|suggest|rank|choose|say|list|order|is|are|with)"
    r"\s(?:them\s)?)[\s*_\"']{0,5}",
    re.IGNORECASE,
)
"""Words that introduce a list on its own line."""
_LAST = re.compile(r"(?:and|then|finally|und|et|y)\s{1,3}", re.IGNORECASE)
_GAP = re.compile(r"(?<=\w)(?:[^\w\s]?\s[-\u2013\u2014]?\s?|[:;)]\s)")
_ARTICLES = (
    "a an and at by de del der des di die du el en et for from in la las le les los of on the to"
    " und with y"
)
_SMALL = frozenset(_ARTICLES.split())
"""Words that titles write in lower case."""
_NEAR = 100
_LONGEST, _MOST_JOINED, _FEWEST, _FEW_LINES = 5_000, 4, 3, 6


def titled_line(lines: Sequence[str], is_title: Callable[[str], object]) -> list[str] | None:
    """Return the one line that lists titles as what is said before it, and its entries.

    Args:
        lines: An answer's lines.
        is_title: Whether a text is a candidate's title, and no more.

    Returns:
        `None` if there is no such line; no entries if it lists several groups of titles.
    """
    if len(lines) > _FEW_LINES:
        return None
    found = [(at, parts) for at, line in enumerate(lines) if (parts := _parts(line, is_title))]
    if len(found) != 1 or any(map(is_title, lines)):
        return None
    at, parts = found[0]
    return [" ".join([*lines[:at], parts[0]]).strip(), *parts[1:]]


def _parts(line: str, is_title: Callable[[str], object]) -> list[str] | None:
    """Return what separators part on a line behind its lead-in, if that is mostly titles."""
    for separator in _SEPARATORS:
        split = [part.strip() for part in line[:_LONGEST].split(separator)]
        if len(split) < _FEWEST:
            continue
        parts = [*_joined(split, separator, is_title)]
        named = sum(bool(is_title(part)) for part in parts)
        if named >= _FEWEST and named * 2 > len(parts):
            lead = split[0].removesuffix(parts[0]) if is_title(parts[0]) else ""
            # Words before a title amid others begin another list: none of them is sure.
            several = any(_ends_with_title(part, is_title) for part in parts[:-1])
            return [lead, *(() if several else parts)]
    return None


def _ends_with_title(part: str, is_title: Callable[[str], object]) -> bool:
    """Whether words stand before a title, as they do where another list begins."""
    if is_title(part):
        return False
    near = part[-_NEAR:]
    return any(
        is_title(near[found.end() :])
        for found in _GAP.finditer(near)
        if found[0].strip() or _is_said(near[: found.start()])
    )


def _is_said(words: str) -> bool:
    """Whether words before a title are no part of one: "the order is", not "Logitech"."""
    lower = (word for word in words.split() if word[:1].islower())
    return any(word not in _SMALL for word in lower) or mentions(words)


def _joined(
    split: Sequence[str], separator: str, is_title: Callable[[str], object]
) -> Iterator[str]:
    """Yield parts; as one those of a title that holds the separator, without words around it."""
    at = 0
    while at < len(split):
        for count in range(min(_MOST_JOINED, len(split) - at), 0, -1):
            said = separator.join(split[at : at + count])
            bare = said
            if at == 0 and (lead := _LEAD.match(said)):
                bare = said[lead.end() :]
            elif last := _LAST.match(said):
                bare = said[last.end() :]
            title = next((one for one in (said, bare) if is_title(one)), None)
            if title is not None or count == 1:
                if said:
                    yield title or said
                at += count
                break
