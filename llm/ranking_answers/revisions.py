"""Tells what takes the place of a ranking from what is only shown beside it, by its words."""

from __future__ import annotations

import re

from .sentences import SENTENCE_END

_BOUND = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+")
_REVISED = re.compile(
    r"\b(?:final|correct|revis|updat|improv|adjust|re ?(?:rank|order|sort)|refin|after|optimi|new\b"
    r"|chang|better|personali)"
)
_SHOWN = re.compile(
    r"\b(?:original|initial|first|baseline|default|popular|draft|before|given|prompt|input|naive"
    r"|old|prior|previous|earlier|raw|unranked|random|start|base\b|example|sample|format|form\b"
    r"|template|schema|compar|contrast|refer|alternativ|instead of|than\b|unlike"
    r"|was\b|were\b|would|could|history|without|list of|vergleich|beispiel|urspr|exempl|ejemplo"
    r"|compara)",
    re.IGNORECASE,
)
_TAKES_ITS_PLACE = re.compile(
    r"\b(?:final|correct|corrig|korrig|revis|updat|improv|adjust|re-?(?:rank|order|consider|think)"
    r"|refin|actual|wait\b|no\b|oops|hmm|sorry|mistake|chang|instead|rather|better|second thought"
    r"|on reflection|again|now\b|so\b|thus\b|therefore|hence|answer|rank|order|here\b|result"
    r"|output|respon|recommend|choose|pick|endg|antwort|definitiv|r\u00e9ponse|respuesta)"
    r"|\u6700\u7ec8|\u7b54\u6848|\u4fee\u6b63",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
_LANGUAGE = re.compile(r"```\w{0,10}")
_LONGEST = 200
_NEAR = 2_000


def names_revision(name: str) -> bool:
    """Whether a list of this name comes after another one, as `adjusted_ranking` does."""
    return _REVISED.search(_plain(name)) is not None


def names_draft(name: str) -> bool:
    """Whether a list of this name comes before another one, or is shown beside it."""
    return _SHOWN.search(_plain(name)) is not None


def takes_its_place(between: str) -> bool:
    """Whether the words between two rankings say that the latter counts, or there are none.

    What is shown for comparison, as an example or as what was given, does not count. A ranking that
    no unfinished sentence introduces stands for itself.

    Args:
        between: The text from the end of the one to the beginning of the other.
    """
    said = _LANGUAGE.sub(" ", between[-_NEAR:])
    sentences = [part for part in SENTENCE_END.split(said) if _LETTER.search(part)]
    if not sentences:
        return True
    alone = said.rstrip(" *_`\n").endswith((".", "!", "?"))
    return (alone or bool(_TAKES_ITS_PLACE.search(said))) and not _SHOWN.search(sentences[-1])


def _plain(name: str) -> str:
    return _BOUND.sub(" ", name[:_LONGEST]).lower()
