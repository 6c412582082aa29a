"""Detects answers that say their list is reversed or lists bad candidates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ...records import Item
from .sentences import REMARK_END, SENTENCE_END

_WORDS = r"(?:[\s_-]\w{1,12}){0,2}?"
_TO = r"[\s_-]to(?:[\s_-]the)?[\s_-]"
_ONES = (
    r"(?:[\s_-](?:is|are|comes?|goes|ones?|candidates?|match(?:es)?|options?|items?|choices?|picks?"
    r"|stands?|fits?|likely|relevant|suitable|listed|placed|ranked|put)){0,2}[\s_-]"
)
_BACKWARDS = re.compile(
    rf"(?<![a-z])(?:worst{_WORDS}{_TO}(?:best|first|top)"
    rf"|(?<!at )least{_WORDS}{_TO}(?:most|best|top)"
    rf"|(?:last|bottom){_TO}(?:first|best|top)"
    rf"|(?:worst|(?<!at )least|lowest|weakest){_ONES}first\b"
    rf"|(?:best|most|strongest|highest){_ONES}(?:last\b|at[\s_-]the[\s_-](?:end|bottom))"
    r"|schlecht\w{0,9} (?:bis|nach|zu[mr]?|an) (?:\w{1,5} )?best\w{0,4}"
    r"|pires? (?:aux?|vers \w{1,3}) meilleure?s?|peore?s? al? (?:los )?mejor"
    r"|peggior\w{1,3} a\w{0,3} miglior|pior(?:es)? \w{1,4} (?:o )?melhor"
    r"|\u0445\u0443\u0434\u0448\w{1,4} \u043a \u043b\u0443\u0447\u0448"
    r"|\u6700\u5dee\w{0,2}\u5230\u6700?\u597d|\u60aa\u3044\u9806"
    r"|(?P<order>(?:reversed?|ascending|increasing)[\s_-](?:order|rank)))",
    re.IGNORECASE,
)
_FILLERS = re.compile(
    r"\W{0,5}+(?:(?:note|this|the|it|they|these|all|list|ranking|candidates|items|is|are|ranked"
    r"|listed|ordered|sorted|given|in|an?|from|i|ve|we|have|oops|wait|sorry|actually|but|please"
    r"|that|above|order|read|put|s|ones|films|of)\W{1,3}+){0,10}+",
    re.IGNORECASE,
)
"""How a remark about a list begins. After other words, the same phrase is a reason."""
_CLAIM = re.compile(
    r"to (?:avoid|skip)\b|not (?:recommended|suitable)\b|backwards\b|reversed\W{0,5}$",
    re.IGNORECASE,
)
_ORDER_KEY = re.compile(r"order|sort|direction", re.IGNORECASE)
_ORDER = re.compile(
    r"\W{0,5}+(?:(?:in|from|by)\s)?(?:asc\b|ascending|revers|backward|increasing|worst|least|lowest)",
    re.IGNORECASE,
)
_SWITCH = re.compile(r"ascending|revers|backward|(?:worst|least)\w*first", re.IGNORECASE)
_AGAINST = (
    r"(?:(?:\b(?:avoid(?!ing)|worth avoiding|exclude|reject|skip|discard|disqualif|omit|ruled? out"
    r"|left out|leave out)"
    r"|(?<!to )(?<!to the )\b(?:worst|unlikely|unsuitable|irrelevant))\w{0,4}"
    r"|(?:\bnot|n't)\s(?:be\s)?(?:recommend|suggest|fit|suit|match|pick|choose|select|rank)\w*)"
)
_FOR = (
    r"\b(?:re)?(?:rank|recommend|order|answer|list|pick|best|top|prefer|choose|suggest|say|first"
    r"|then\b|last|lower|down|but\b|instead|so\b|here|now\b|therefore|thus|likeliest)"
)
_NUMBER = r"(?:(?:candidate|item|option|number)s?\s?)?#?\d"
_AGAINST_IT, _FOR_IT = re.compile(_AGAINST, re.IGNORECASE), re.compile(_FOR, re.IGNORECASE)
_DECLINED = re.compile(
    rf"{_AGAINST}(?:(?!{_FOR})[^\d]){{0,80}}?\d|\bnot\s{_NUMBER}"
    r"|\d\W{0,3}(?:all\s)?(?:(?:is|are)(?:\sthe)?\s(?:not\b|worst|least|unlikely|bad|poor|excluded"
    r"|unsuitable|to\sbe\s(?:avoided|skipped))"
    r"|(?:should|must|would|will|can|do|does)(?:\snot\b|n't|(?:\sbe)?\s(?:avoid|exclud|skip|reject)))",
    re.IGNORECASE,
)
"""A sentence that rejects candidates by their numbers."""
_TURNED_DOWN = re.compile(
    r"\b(?:avoid|skip|not\s(?:recommend|suggest|pick|choose))\s(?:all\s|any\s)?(?:of\s)?"
    r"(?:these|those|them|this)\b(?=\W{0,5}$|[,;])",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\b(?:not|never|instead of|rather than)|n't)\s(?:(?!but)\w{1,12}\s){0,3}$", re.IGNORECASE
)
_HISTORY = re.compile(
    r"\b(?:history|session|sequence|watched|viewed|bought|purchase|interaction|event)",
    re.IGNORECASE,
)
_RANKED = re.compile(r"\b(?:rank|candidate|likel|recommend)", re.IGNORECASE)
_FENCE = re.compile(r"```\w{0,10}\s{0,10}$")
_NUMBERED = re.compile(r"[\s*#(\[|-]{0,9}\d")
_DOUBTS = re.compile(rf"{_BACKWARDS.pattern}|{_AGAINST}|\bnot\b|backwards|reversed", re.IGNORECASE)
_NEAR, _DENIAL, _INTRODUCTION = 500, 40, 6


def says_backwards(before: str, beside: Iterable[tuple[str, str | bool]], after: str) -> bool:
    """Return whether the words around a list say that it is reversed or lists bad candidates.

    Args:
        before: The text before the list, without titles.
        beside: The names and values next to it in the same object.
        after: The text after the list, without titles.
    """
    return (
        _introduced(before)
        or any(map(_of_list, _last_sentences(before)))
        or any(_remarked(name, said) for name, said in beside)
        or _stated(after)
    )


def _introduced(before: str) -> bool:
    """Whether a list is introduced as bad candidates, as in "I would avoid these: [4, 5]"."""
    text = _FENCE.sub("", before[-_NEAR:]).rstrip(" *")
    last = SENTENCE_END.split(text.rstrip())[-1]
    return (_opens(last) or not text.endswith("\n")) and _is_against(last)


def _is_against(sentence: str) -> bool:
    """Whether a sentence ends by rejecting what follows."""
    said = [found.end() for found in _AGAINST_IT.finditer(sentence)]
    return bool(said) and not _FOR_IT.search(sentence, said[-1])


def _remarked(name: str, said: str | bool) -> bool:
    if isinstance(said, bool):
        return said and bool(_SWITCH.search(name)) and not _HISTORY.search(name)
    ordered = _ORDER_KEY.search(name) and not _HISTORY.search(name) and _ORDER.match(said)
    return bool(ordered) or _stated(said)


def _stated(text: str) -> bool:
    """Whether a sentence says that the list, and not the history, is reversed or rejected."""
    return any(
        (_claims(sentence) and (_RANKED.search(sentence) or not _HISTORY.search(sentence)))
        or _TURNED_DOWN.search(sentence)
        for sentence in REMARK_END.split(text)
    )


def _claims(sentence: str) -> bool:
    begun = _FILLERS.match(sentence)
    at = begun.end() if begun else 0
    return bool(_BACKWARDS.match(sentence, at) or _CLAIM.match(sentence, at))


def text_says_backwards(text: str) -> bool:
    """Return whether a text without JSON says so outside its numbered lines."""
    lines = text.split("\n")
    said = [line for line in lines if len(lines) == 1 or not _NUMBERED.match(line)]
    return any(_opens(line) and _is_against(line[-_NEAR:]) for line in said) or any(
        _of_list(sentence) or _DECLINED.search(sentence)
        for line in said
        for sentence in SENTENCE_END.split(line)
    )


def without_backward_titles(text: str, items: Sequence[Item]) -> str:
    """Return a text without the titles whose words would count as such a remark."""
    if not _DOUBTS.search(text):
        return text
    for named in (item.title for item in items if _DOUBTS.search(item.title)):
        text = re.sub(re.escape(named), " ", text, flags=re.IGNORECASE)
    return text


def _of_list(sentence: str) -> bool:
    for found in _BACKWARDS.finditer(sentence):
        if _DENIED.search(sentence[max(0, found.start() - _DENIAL) : found.start()]):
            continue
        told = _HISTORY.search(sentence)
        if told and (not _RANKED.search(sentence) if found["order"] else not _opens(sentence)):
            continue
        return True
    return False


def _last_sentences(before: str) -> list[str]:
    """Return the sentence before a list, and the one before that if it only says "Here it is:"."""
    text = _FENCE.sub("", before[-_NEAR:].rstrip()).rstrip()
    ends = [0, *(found.end() for found in SENTENCE_END.finditer(text)), len(text)]
    parts = [text[start:end] for start, end in pairwise(ends)]
    said = [part for part in parts if part.strip(" \n.*#:")]
    short = bool(said) and _opens(said[-1]) and len(said[-1].split()) <= _INTRODUCTION
    return said[-2 if short else -1 :]


def _opens(sentence: str) -> bool:
    return sentence.rstrip("\n *").endswith(":")
