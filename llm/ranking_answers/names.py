"""What the name of a list says of it: a ranking, its opposite, or something else."""

from __future__ import annotations

import re

_LONGEST = 200
_BOUND = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+")
_BEST_FIRST = re.compile(
    r"\b(?:best|most|highest|strongest|top|first)(?: \w{1,12}){0,2}? to"
    r"(?: the)? (?:worst|least|lowest|weakest|bottom|last)\b"
)
_OPPOSITE = re.compile(
    r"\b(?:avoid|worst|exclu|reject|unlike|dislik|disfavou?r|discard|remov|omit|skip|eliminat"
    r"|disqualif|filtered|ignore|dropped|ban(?:s|ned)?\b|block(?:s|ed|list)?\b|blacklist|bad\b"
    r"|poor|negative|against\b|bottom|lowest|(?<!at )least|weak|irrelevan|ascending|revers"
    r"|nicht\b|vermeid|schlecht|\u00e9viter|evitar|pires?\b|peor|\u0445\u0443\u0434\u0448|\u0438\u0437\u0431\u0435\u0433|\u907f\u514d|\u6700\u5dee|\u4e0d\u63a8"
    r"|last to|un(?:rank|recommend|suit|fit|relat|want)|not\b(?! only\b)|don ?t\b|never)"
)
_OTHER = re.compile(
    r"\b(?:histor|watched|viewed|seen|bought|purchas|session|previous|past|input|prompt|usage"
    r"|error|retry|token|trace|debug|logs?\b|meta|status|codes?\b|schema|example|considered"
    r"|reason|explan|analy|evaluat|assess|thought|thinking|compar|draft"
    r"|scores?\b|ratings?\b|relevances?\b|probabilit|likelihoods?\b|confidences?\b)"
)
_RANKED = re.compile(
    r"\b(?:re)?(?:rank|recommend|best|top|pick|predict|next|likel(?!ihood)|final"
    r"|answer)"
)

_OF_EACH = frozenset({"ranks", "positions", "places"})
"""Names of lists that give each candidate's place."""


def names_no_ranking(name: str) -> bool:
    """Whether a list of this name holds what is not recommended, or nothing of that kind.

    Args:
        name: A key of a JSON object, such as `not_recommended`, `worstFirst` or `history`.
    """
    words = " ".join(_BOUND.sub(" ", name[:_LONGEST]).lower().split())
    words = _BEST_FIRST.sub(" ", words)
    if words in _OF_EACH:
        return True
    return bool(_OPPOSITE.search(words) or (_OTHER.search(words) and not _RANKED.search(words)))
