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
    r"\b(?:original|initial|(?<!best )first|baseline|default|popular|draft|before|prompt|input"
    r"|naive|given\b(?! (?:the|that|their|his|her|what|how|format|form)\b)"
    r"|old|prior|previous|earlier|raw|unranked|random|start|base\b|example|sample|template|schema"
    r"|compar|contrast|for reference|alternativ|another|possibl|instead of|than\W{0,3}\Z|unlike"
    r"|was\b|were\b|would|could|without (?:the|this|that|your)\b|you (?:gave|sent|provided|listed)"
    r"|(?<!is )(?<!are )your (?:order|list|ranking|input|candidates)"
    r"|by (?:the )?(?:release|year|id\b|name|title|date|popularity|age\b|price|genre\W{0,3}\Z)"
    r"|alphabet|vergleich|beispiel|urspr|exempl|ejemplo)",
    re.IGNORECASE,
)
_NOT_IT = re.compile(
    r"\b(?:not|isn['\u2019]t) (?:the|my)\b|\b(?:wrong|incorrect) (?:ranking|order|answer|list)",
    re.IGNORECASE,
)
"""Words of an unfinished sentence about the list that it introduces."""
_FINAL_WORDS = (
    r"(?:\b(?:final|correct|corrig|korrig|revis|updat|improv|adjust|re-?(?:rank|order)|endg"
    r"|definitiv)|\u0438\u0442\u043e\u0433|\u043e\u043a\u043e\u043d\u0447\u0430\u0442"
    r"|\u0438\u0441\u043f\u0440\u0430\u0432|\u6700[\u7ec8\u7d42]|\u4fee\u6b63)"
)
_FINAL = re.compile(_FINAL_WORDS, re.IGNORECASE)
_TAKES_ITS_PLACE = re.compile(
    rf"{_FINAL_WORDS}|\b(?:re-?(?:consider|think)|refin|actual|wait\b|no\b|oops|hmm|sorry|mistake"
    r"|chang|instead|rather|better|second thought|on reflection|again|now\b|so\b|thus\b|therefore"
    r"|hence|answer|rank|order|here\b|result|output|json|format|request|requir|verif|double|swap"
    r"|moved|respon|recommend|choose|pick|antwort|r\u00e9ponse|respuesta)"
    r"|\u7b54\u6848",
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
    last = sentences[-1]
    alone = said.rstrip(" *_`\n").endswith((".", "!", "?"))
    if not alone and _NOT_IT.search(last):
        return False
    shown, final = _SHOWN.search(last), _FINAL.search(last)
    if shown is None:
        return alone or _TAKES_ITS_PLACE.search(said) is not None
    # "Final ranking, the first one was wrong" and not "The order before the final one".
    return final is not None and final.start() < shown.start()


def _plain(name: str) -> str:
    return _BOUND.sub(" ", name[:_LONGEST]).lower()
