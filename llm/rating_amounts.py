"""Reads the one number that a few words give as a rating, or none where it is not sure."""

# ruff: noqa: RUF001  # dashes and signs that models write

from __future__ import annotations

import math
import re
from itertools import islice

from ..records import RatingScale
from .plain_signs import NUMBER_WORDS

_FRACTIONS = {"\u00bd": ".5", "\u00bc": ".25", "\u00be": ".75"}
_MIXED = re.compile(rf"(\d|(?<![\d\u2605\u2b50\U0001f31f]))\s?([{''.join(_FRACTIONS)}])")
_DASH = r"(?:-|–|—|~|to|and|or|bis|a|à)"
_RANGE = re.compile(rf"\d\s?{_DASH}\s?\d", re.IGNORECASE)
_SCALE = re.compile(
    r"(?:(?:on|in|using)\s)?(?:(?:a|the)\s)?(?:scale\s)?(?:(?:of|from|between)\s)?\(?\[?"
    rf"(\d{{1,3}}(?:\.\d)?)\s?{_DASH}\s?(\d{{1,3}})(?![\d.,]\d)\)?\]?(?:\sscale\b)?",
    re.IGNORECASE,
)
_BOUNDED = re.compile(
    r"\b(?:at least|at most|less|more|fewer|under|over|above|below|not|than|between|maybe|perhaps"
    r"|or|sure)\b|\.\.|n't\b|[<>%\u2264\u2265]|\d[+-](?!\d)|(?:^|[^\w\s]|\s)-\d|\d[^\W\d_]",
    re.IGNORECASE,
)
_AROUND = re.compile(r"\s?(?:±|\+/-|\+-)\s?\d{1,3}(?:[.,]\d{1,3})?")
_NUMBER = r"(?<![\w.,])(\d{1,6}(?:\.\d{1,12}|,\d{1,2})?)(?!\d|[.,]\d)"
_OUT_OF = r"(?:\s?(?:/|out of|of|von|sur|su|de)\s?(\d{1,6})(?![\d.,]\d))?"
_AMOUNT = re.compile(_NUMBER + _OUT_OF, re.IGNORECASE)
_ANY = re.compile(r"\d+")
_STARS, _EMPTY = "\u2605\u2b50\U0001f31f", "\u2606"
_STAR_RUN = re.compile(rf"[{_STARS}]{{1,10}}[{''.join(_FRACTIONS)}]?{_EMPTY}{{0,10}}")
_WORD = re.compile(
    rf"\b({'|'.join(NUMBER_WORDS)})\b(?:\s(and a half)|\spoint\s({'|'.join(NUMBER_WORDS)}))?",
    re.IGNORECASE,
)
_UNIT = r"\s?(?:stars?|sterne?|étoiles?|estrellas?|stelle|points?|звезд\w?|[*★⭐])?"
_FILLER = (
    r"(?:\W{0,9}\b(?:i|d|would|will|should|give|it|this|a|an|the|predict|say|rate|probably|likely"
    r"|about|around|approximately|roughly|solid|strong|answer|is|gets|get|be|my|at|as|guess|expect"
    r"|final|predicted|rating|score|prediction|going|with|think|believe|so|therefore|of)\b){0,9}"
)
_LEAD = re.compile(
    rf"{_FILLER}[^\w{_STARS}-]{{0,9}}(?:{_NUMBER}{_OUT_OF}|{_WORD.pattern}|{_STAR_RUN.pattern}){_UNIT}"
    r"[*_`\"')\]}\s]{0,9}(?:\Z|\n|[.;,!(|](?!\s?\d|\.)|<(?=[/a-z])"
    r"|(?:because|since|as|for|given)\b|[-–—:]\s)",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"[^\w\n]{0,9}\b(?:maybe|perhaps|possibly|or|rather|but|no)\b[^\d\n]{0,20}\d", re.IGNORECASE
)
_BOLD = str.maketrans("", "", "*_`")
_OFF = math.inf


def amount(text: str, scale: RatingScale) -> float | None:
    """Return the number that a text holds if it holds one alone, on the scale or off it.

    Args:
        text: A few words that are nothing but a rating.
        scale: Its range is no part of the rating; what is out of another number than its highest
            is off the scale.
    """
    text = _plain(text, scale)
    if _BOUNDED.search(text) or _RANGE.search(text):
        return None
    found = list(islice(_AMOUNT.finditer(text), 2))
    if not _ANY.search(text):
        return _unwritten(text, scale)
    if len(found) != 1 or _ANY.search(_AMOUNT.sub(" ", text, count=1)):
        return None
    if found[0][2] is not None and float(found[0][2]) != scale.high:
        return _OFF
    return float(found[0][1].replace(",", "."))


def leading_amount(text: str, scale: RatingScale) -> float | None:
    """Return the number with which a text begins, whatever sentence follows.

    Args:
        text: What follows a word such as "rating", or a whole answer.
        scale: As for `amount`.
    """
    text = _plain(text, scale)
    found = _LEAD.match(text)
    if found is None or _HEDGED.match(text, found.end()):
        return None
    return amount(found[0].rstrip(".;,!(|<-–—: \n"), scale)


def _plain(text: str, scale: RatingScale) -> str:
    text = text[:1_000].translate(_BOLD)
    text = _MIXED.sub(lambda found: (found[1] or "0") + _FRACTIONS[found[2]], text)

    def kept(found: re.Match[str]) -> str:
        ends = float(found[1]), float(found[2])
        return " " if ends == (scale.low, scale.high) else found[0]

    return _AROUND.sub("", _SCALE.sub(kept, text)).strip()


def _unwritten(text: str, scale: RatingScale) -> float | None:
    """Return the number that stars or words give."""
    runs = list(islice(_STAR_RUN.finditer(text), 2))
    words = list(islice(_WORD.finditer(text), 2))
    if len(runs) + len(words) != 1:
        return None
    if words:
        whole, half, part = words[0].groups()
        tenths = NUMBER_WORDS.index(part.lower()) / 10 if part else 0.5 if half else 0.0
        return NUMBER_WORDS.index(whole.lower()) + tenths
    run = runs[0][0]
    full = sum(sign in _STARS for sign in run)
    parts = [float(_FRACTIONS[sign]) for sign in run if sign in _FRACTIONS]
    shown = full + len(parts) + run.count(_EMPTY)
    if shown > scale.high or (shown < scale.high and (_EMPTY in run or scale.high != 5)):  # noqa: PLR2004
        return _OFF
    return full + sum(parts)
