"""Reads what follows words such as "rating" in a text, if they mean the one that is asked for."""

from __future__ import annotations

import re
from itertools import islice

from ...records import RatingScale
from ..text.declined import declines, refuses
from .amounts import leading_amount

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
_SUBJECT = r"user|item|film|movie|book|game|product"
_OF_SUBJECT = re.compile(rf"\b(?:{_SUBJECT})(?:'(?!s\b))?[\s_*-]{{1,3}}\Z", re.IGNORECASE)
"""Who rates and what is rated: of both the prompt holds ratings, too."""
_OF_SOURCES = re.compile(
    r"\b(?:items|users|viewers?|audience|critics?|community|public|imdb|tmdb|metacritic|metascore"
    r"|letterboxd|goodreads|amazon|steam|netflix|rotten\stomatoes|movielens|site|crowd|global"
    r"|reviewers?|content|age|mpaa)(?:'(?!s\b))?[\s_*-]{1,3}\Z",
    re.IGNORECASE,
)
"""Others whose rating is in the prompt, and is not the one that is asked for."""
_MY = (
    r"final|predicted|overall|my|your|meine?|ma|mon|mi|mia|minha|\u043c\u043e\u044f"
    r"|\u6211\u7684|\u9884\u6d4b|\u9810\u6e2c|\u9884\u8ba1|\u6700\u7ec8"
)
_FORESEEN = re.compile(
    r"(?:\b(?:predict\w{0,5}|expect\w{0,3}|estimat\w{0,3}|final|likely|probable)"
    r"(?:[^\w(.,;!?\n]{1,3}\w{1,12}){0,2}[^\w(.,;!?\n]{0,2}[\s_*]|\u9884\u6d4b|\u9810\u6e2c|\u9884\u8ba1)\Z",
    re.IGNORECASE,
)
_FINAL = re.compile(
    rf"(?<![^\W_])(?:{_MY})(?:[\W_]{{1,3}}(?:{_SUBJECT}))?[\W_]{{0,3}}\Z", re.IGNORECASE
)
_TOLD = re.compile(rf"\b(?:your|overall[\W_]{{1,3}}(?:{_SUBJECT}))[\W_]{{1,3}}\Z", re.IGNORECASE)
"""Phrases that tell the user about their own ratings, or the mean."""
_AT_HEAD = re.compile(
    r"(?:\A|\n|[.!?]\s|\b(?:answer|prediction|result|output)\s?:\s)[^\w\n]{0,9}"
    rf"(?:(?:the|my|your|final|overall)[\W_]{{1,3}}){{0,3}}(?:user's\s)?[*_]{{0,3}}"
    rf"(?:(?:{_SUBJECT})(?:'(?!s\b))?[\s_*-]{{1,3}})?\Z",
    re.IGNORECASE,
)
"""Where a subject's rating begins a line or a sentence; amid one it is quoted from the prompt."""
_QUOTED = re.compile(rf"\b(?:(your|their)|(?:{_SUBJECT})(?:'s)?)[\s_*-]{{1,3}}\Z", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\s(?:is|of))?[^\w\n]{0,9}\d", re.IGNORECASE)
_OF = re.compile(r"s?\s(?:of|was|were)\b", re.IGNORECASE)
_BEGINS = re.compile(rf"[^\w\n]{{0,9}}(?:(?:{_MY})[\s_-]?){{0,2}}[^\w\n]{{0,3}}", re.IGNORECASE)
_BEGINS_LINE = re.compile(rf"(?:\A|\n)[^\w\n]{{0,9}}(?:the\s)?{_BEGINS.pattern}\Z", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[.!?;:\n\u3002\uff01\uff1f\uff0c\uff1b]+|\s[-\u2013\u2014]\s"
    r"|,(?=[\u3400-\u9fff])|,\s(?=(?:(?:and|so|but|yet|still|thus|hence|therefore|however|i|we|my|the|rating|score|predicted"
    r"|expected|estimated|aber|daher|also|mais|donc|pero|ma|quindi|mas)\b))",
    re.IGNORECASE,
)
_I_SAY = re.compile(
    r"\bI(?:['\u2019](?:d|ll)|\s(?:would|will|must|still))?\s(?:\w{1,12}\s)?"
    r"(?:say|predict|rate|give|think|expect|estimate|guess|score|go|assume|believe)\b",
    re.IGNORECASE,
)
_I_GIVE = re.compile(rf"{_I_SAY.pattern}(?:\s\w{{1,12}}){{0,3}}\s\Z", re.IGNORECASE)


def named_ratings(text: str, scale: RatingScale) -> tuple[list[float], list[float]]:
    """Return what follows words such as "rating", and after those that call it final.

    The "user rating", the "movie rating" and "your rating" count if they begin a line or a sentence
    and no other rating is named, not even one of another subject. A rating that is called final or
    predicted goes before "my".

    Args:
        text: The text without what it says of others' ratings or in an excuse.
        scale: As for `amount`.
    """
    named: list[float] = []
    final: list[float] = []
    sure: list[float] = []
    of_subject: list[float] = []
    of_others = False
    declined = declines(text)  # what it then says of a rating may be part of the excuse
    for label in islice(_LABEL.finditer(text), _MOST_LABELS):
        before = text[max(0, label.start() - _NEAR) : label.start()]
        foreseen = (_FORESEEN.search(before) or _I_GIVE.search(before)) is not None
        if _OF_OTHERS.search(before) or (_OF_SOURCES.search(before) and not foreseen):
            of_others = True
            continue
        if declined and not _is_told(text[: label.end()], label.start()):
            continue
        if _is_quoted(before, text[label.end() :][:_NEAR], foreseen):
            continue
        told = _TOLD.search(before) is not None
        is_final = not told and _FINAL.search(before) is not None
        subject = not (foreseen or is_final) and (told or _OF_SUBJECT.search(before))
        if subject and not _AT_HEAD.search(before):
            of_others = of_others or _NUMBER.match(text, label.end()) is not None
            continue
        said = _behind(text, label.end(), scale)
        if said is None:
            continue
        if is_final:
            (sure if foreseen else final).append(said)
        else:
            (of_subject if subject else named).append(said)
    lone = not (named or final or sure or of_others or declined)
    return of_subject if lone else named, sure or final


def _is_quoted(before: str, behind: str, foreseen: bool) -> bool:
    """Whether words around a label make it a rating from the history: "your rating of 5 for"."""
    of = _QUOTED.search(before) if _OF.match(behind) else None
    return of is not None and (of[1] is not None or not foreseen)


def _behind(text: str, at: int, scale: RatingScale) -> float | None:
    """Return the rating behind a label that ends at a place, or behind the next colon."""
    colon = _TO_COLON.match(text, at)
    for end in (at, colon.end() if colon else at):
        signs = _SIGNS.match(text, end)
        said = leading_amount(text[signs.end() if signs else end :][:_LONGEST], scale)
        if said is not None:
            return said
    return None


def _is_told(text: str, at: int) -> bool:
    """Whether a text whose label begins at a place gives a rating there, and no excuse."""
    start = max(0, at - _LONGEST)
    ends = [start, *(end for found in _CLAUSE.finditer(text, start) if (end := found.end()) <= at)]
    clause, before = text[ends[-1] :], text[ends[-1] : at]
    if refuses(clause):
        return False
    if _BEGINS.fullmatch(before) or _BEGINS_LINE.search(text[max(0, at - _NEAR) : at]):
        return True
    return bool(_FORESEEN.search(before) or _FINAL.search(before) or _I_SAY.search(clause))


def of_sources(line: str) -> bool:
    """Whether a line names a rating that the prompt holds."""
    labels = islice(_LABEL.finditer(line), _MOST_LABELS)
    before = (line[max(0, one.start() - _NEAR) : one.start()] for one in labels)
    return any(_OF_SOURCES.search(said) or _OF_SUBJECT.search(said) for said in before)
