"""Reads what follows words such as "rating" in a text, if they mean the one that is asked for."""

from __future__ import annotations

import re
from itertools import islice

from ..records import RatingScale
from .declined import declines
from .rating_amounts import leading_amount

_MOST_LABELS, _LONGEST, _NEAR = 500, 300, 40
_LABEL = re.compile(
    r"(?:\b(?:rate|rating|stars?|score|prediction|predict|answer|bewertung|note|nota|calificaci\u00f3n"
    r"|valutazione|\u043e\u0446\u0435\u043d\u043a\u0430)\b|\u8bc4\u5206|\u8a55\u4fa1)(?!\s?/)",
    re.IGNORECASE,
)
_TO_COLON = re.compile(r"[^.:=;|\n]{0,60}[:=]")
_SIGNS = re.compile(r"[\"'*_:=\s\])]{0,9}(?:(?:->|[-\u2013\u2014])\s{1,3})?")
_OF_OTHERS = re.compile(
    r"\b(?:mean|average|avg|past|previous|earlier|usual|typical|other|lowest|highest|maximum|minimum)"
    r"(?:\W{1,3}\w{1,12})?[\W_]{1,3}\Z",
    re.IGNORECASE,
)
_OF_SOURCES = re.compile(
    r"\b(?:items?|users?|viewers?|audience|critics?|community|public|imdb|tmdb|metacritic|metascore"
    r"|letterboxd|goodreads|amazon|steam|netflix|rotten\stomatoes|movielens|site|crowd|global|film"
    r"|movie|book|game|product|reviewers?|content|age|mpaa)(?:'(?!s\b))?[\s_*-]{1,3}\Z",
    re.IGNORECASE,
)
"""Whose rating stands in the prompt, and is not the one that is asked for."""
_FORESEEN = re.compile(
    r"\b(?:predict\w{0,5}|expect\w{0,3}|estimat\w{0,3}|final|likely|probable)"
    r"(?:\W{1,3}\w{1,12}){0,2}[\W_]{1,3}\Z",
    re.IGNORECASE,
)
_FINAL = re.compile(r"\b(?:final|predicted|overall|my)[\W_]{1,3}\Z", re.IGNORECASE)
_BEGINS = re.compile(
    r"(?:\A|\n)[^\w\n]{0,9}(?:(?:final|predicted|my|the)[\s_-]){0,2}[^\w\n]{0,3}\Z", re.IGNORECASE
)


def named_ratings(text: str, scale: RatingScale) -> tuple[list[float], list[float]]:
    """Return what follows words such as "rating", and after those that call it final.

    Args:
        text: In which what it says of the ratings of others, or in an excuse, is left out.
        scale: As for `amount`.
    """
    named: list[float] = []
    final: list[float] = []
    declined = declines(text)  # what it then says of a rating may be part of the excuse
    for label in islice(_LABEL.finditer(text), _MOST_LABELS):
        before = text[max(0, label.start() - _NEAR) : label.start()]
        foreign = _OF_SOURCES.search(before) and not _FORESEEN.search(before)
        if foreign or _OF_OTHERS.search(before) or (declined and not _BEGINS.search(before)):
            continue
        colon = _TO_COLON.match(text, label.end())
        for end in (label.end(), colon.end() if colon else label.end()):
            at = _SIGNS.match(text, end)
            said = leading_amount(text[at.end() if at else end :][:_LONGEST], scale)
            if said is not None:
                (final if _FINAL.search(before) else named).append(said)
                break
    return named, final


def of_sources(line: str) -> bool:
    """Whether a line names a rating that the prompt holds."""
    labels = islice(_LABEL.finditer(line), _MOST_LABELS)
    return any(
        _OF_SOURCES.search(line[max(0, one.start() - _NEAR) : one.start()]) for one in labels
    )
