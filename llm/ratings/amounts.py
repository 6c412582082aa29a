"""Reads the one number that a few words give as a rating, or none where it is not sure."""

# ruff: noqa: RUF001  # dashes and signs that models write

from __future__ import annotations

import math
import re
from itertools import islice

from ...records import RatingScale
from ..text.plain_signs import NUMBER_WORDS

_FRACTIONS = {"\u00bd": ".5", "\u00bc": ".25", "\u00be": ".75"}
_MIXED = re.compile(rf"(\d|(?<![\d\u2605\u2b50\U0001f31f]))\s?([{''.join(_FRACTIONS)}])")
_HALF = re.compile(r"(?<![\d/.,])(\d)(?:\s|-|\s-\s)1/2(?![\d/])")
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
_OUT_OF = (
    r"(?:\s?(?:/|\(?(?:out of|of|von|sur|su|de|из|din|av|på)\b)\s?(\d{1,6})(?:[.,]0{1,2})?"
    r"(?![\d.,]\d))?"
)
_AMOUNT = re.compile(_NUMBER + _OUT_OF, re.IGNORECASE)
_ANY = re.compile(r"\d+")
_SHARE = re.compile(r"(\d{1,3}(?:[.,]\d)?)\s?(?:%|/\s?(\d{1,3}))")
_STARS, _EMPTY = "\u2605\u2b50\U0001f31f", "\u2606"
_STAR_RUN = re.compile(rf"[{_STARS}]{{1,10}}[{''.join(_FRACTIONS)}]?{_EMPTY}{{0,10}}")
_WORD = re.compile(
    rf"\b({'|'.join(NUMBER_WORDS)})\b(?:\s(and a half)|\spoint\s({'|'.join(NUMBER_WORDS)}))?",
    re.IGNORECASE,
)
_OF_STARS = re.compile(
    rf"(?P<said>\d\s?stars?|[{_STARS}]{{1,10}})\s?\(?(?P<of>/|out of|of)\s?"
    rf"(?P<all>\d{{1,3}}(?![\d.,]\d)|[{_STARS}]{{1,10}})(?:\s?stars?)?\)?",
    re.IGNORECASE,
)
_ONE_STAR = re.compile(rf"(?<![{_STARS}{_EMPTY}])[{_STARS}]\s?(?=\d)")
_COUNTER = re.compile(
    rf"(?<=\d)(?:-stars?\b|[分点점星](?!\w)|\s?[{_STARS}](?![{_STARS}{_EMPTY}]))", re.IGNORECASE
)
_UNITS = r"stars?|sterne?|étoiles?|estrellas?|stelle|points?|звезд\w?"
_UNIT = rf"\s?(?:{_UNITS}|[*★⭐])?"
_NAMED_UNIT = rf"(?:[ \t]?(?:{_UNITS}))?"
_FILLER = (
    r"(?:\W{0,9}\b(?:i|d|would|will|should|give|it|this|a|an|the|predict|say|rate|probably|likely"
    r"|about|around|approximately|roughly|solid|strong|answer|is|gets|get|be|my|at|as|guess|expect"
    r"|final|predicted|rating|score|prediction|going|with|think|believe|so|therefore|of|item|movie"
    r"|film|book|game|product)\b){0,9}"
)
_LEAD = re.compile(
    rf"{_FILLER}[^\w{_STARS}-]{{0,9}}(?:{_NUMBER}{_OUT_OF}|{_WORD.pattern}|{_STAR_RUN.pattern}){_UNIT}"
    r"[*_`\"')\]}\s]{0,9}(?:\Z|\n|[.;,!(|](?!\s?\d|\.)|<(?=[/a-z])"
    r"|(?:because|since|as|for|given|with)\b|[-–—:]\s)",
    re.IGNORECASE,
)
_SAID = rf"(?>{_NUMBER}{_OUT_OF}|{_WORD.pattern}|{_STAR_RUN.pattern})"
_TWICE = re.compile(
    rf"(?P<one>{_SAID}){_NAMED_UNIT}[ \t]?(?:[:=|,–—-][ \t])?"
    rf"(?:(?P<other>{_SAID}){_NAMED_UNIT}|\(\s?(?P<inside>{_SAID}|\d{{1,3}}(?:[.,]\d)?\s?%){_NAMED_UNIT}\s?\))"
    r"(?=\s{0,3}(?:\Z|[\n.;,!)|<]))",
    re.IGNORECASE,
)
_LEADING_TWICE = re.compile(rf"{_FILLER}[^\w{_STARS}-]{{0,9}}{_TWICE.pattern}", re.IGNORECASE)
"""The same in two ways, as "4/5 ⭐⭐⭐⭐" or "4 (80%)"."""
_HEDGED = re.compile(
    r"[^\w\n]{0,9}\b(?:maybe|perhaps|possibly|or|rather|but|no|round\w{0,3})\b[^\d\n]{0,20}\d",
    re.IGNORECASE,
)
_NO_ZERO = re.compile(r"(?<![\w.,])\.(?=\d)")
"""The point of a number such as ".5"."""
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
    once = _said_once(_TWICE.search(text), text, scale)
    return _OFF if once is None else _alone(once, scale)


def _alone(text: str, scale: RatingScale) -> float | None:
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
    once = _said_once(_LEADING_TWICE.match(text), text, scale)
    if once is None:
        return _OFF
    text = once
    found = _LEAD.match(text)
    if found is None or _HEDGED.match(text, found.end()):
        return None
    return amount(found[0].rstrip(".;,!(|<-–—: \n"), scale)


def _said_once(found: re.Match[str] | None, text: str, scale: RatingScale) -> str | None:
    """Return a text with one statement for two that agree, `None` where they differ."""
    if found is None:
        return text
    one = _alone(found["one"], scale)
    if one is None or one != _other(found, scale):
        return None
    return text[: found.start("one")] + found["one"] + text[found.end() :]


def _other(found: re.Match[str], scale: RatingScale) -> float | None:
    text = found["other"] or found["inside"]
    share = _SHARE.fullmatch(text)
    if share is None:
        return _alone(text, scale)
    whole = float(share[2] or 100)
    return float(share[1].replace(",", ".")) * scale.high / whole if whole else None


def _plain(text: str, scale: RatingScale) -> str:
    text = _COUNTER.sub("", text[:1_000].translate(_BOLD))
    text = _NO_ZERO.sub("0.", text)
    text = _ONE_STAR.sub("", _OF_STARS.sub(_as_fraction, text))
    text = _HALF.sub(r"\1.5", text)
    text = _MIXED.sub(lambda found: (found[1] or "0") + _FRACTIONS[found[2]], text)

    def kept(found: re.Match[str]) -> str:
        ends = float(found[1]), float(found[2])
        return " " if ends == (scale.low, scale.high) else found[0]

    return _AROUND.sub("", _SCALE.sub(kept, text)).strip()


def _as_fraction(found: re.Match[str]) -> str:
    """Write "4 stars out of 5" as "4/5"."""
    said, whole = (
        text if text[:1].isdecimal() else str(len(text)) for text in (found["said"], found["all"])
    )
    return f"{said.rstrip(' starSTAR')}/{whole}"


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
