"""Whether a list of candidates belongs to a refusal, and is no ranking of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..text.declined import declines, refuses
from .measures import increases
from .sentences import SENTENCE_END

_MINE = r"here (?:is|are)|my (?:picks?|ranking|order|guess|choices?)|these are"
_PROMISES = re.compile(
    rf"\b(?:{_MINE}|picks?|ranking|ranked|recommend\w{{0,8}}|suggest\w{{0,5}}|best|top|order)\b",
    re.IGNORECASE,
)
_BUT = re.compile(rf"\b(?:{_MINE})\b", re.IGNORECASE)


def is_refused(
    text: str, found: Sequence[int], candidates: int, is_title: Callable[[str], object]
) -> bool:
    """Whether a text names candidates only to say that it will not rank them.

    It does if it refuses or apologizes, promises no list, and gives the candidates in the order of
    the prompt, or right behind what it refuses.

    Args:
        text: An answer's text, without titles that sound like a refusal.
        found: The candidates that it names, 0 for what is none.
        candidates: How many there are.
        is_title: Whether a line names a candidate.
    """
    if not declines(text):
        return False
    named = list(dict.fromkeys(filter(None, found)))
    parts = [part.strip() for part in SENTENCE_END.split(text)]
    refused = {part for part in parts if refuses(part)}
    promised = any(
        (_BUT if part in refused else _PROMISES).search(part) and not is_title(part)
        for part in parts
    )
    if len(named) > 1 and increases(named):
        return not promised or len(named) == candidates
    return not promised and any(part.rstrip("*_ ").endswith(":") for part in refused)
