"""Makes a better hint of known ones without an LLM: joins their clauses, or asks for less."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .clauses import asks_gently, clauses
from .likeness import Encode
from .reflecting import same_subject
from .sentences import advice, wanted


def improved(parents: Sequence[str], encode: Encode) -> str:
    """Write what the prompt asks for: of two hints both together, of one a gentler one.

    Returns:
        JSON with the hints, the best first; no hint where nothing can be said better.
    """
    if len(parents) == 2:  # noqa: PLR2004
        first, second = parents
        hints = [_joined(first, second, encode), _joined(first, _gentler(second), encode)]
    else:
        hints = [_gentler(parent) for parent in parents]
    known = {parent.casefold() for parent in parents}
    return json.dumps({"hints": [hint for hint in hints if hint.casefold() not in known]})


def _joined(first: str, second: str, encode: Encode) -> str:
    """Return the clauses of both, without those of the second about what the first mentions."""
    mine = clauses(first)
    new = [
        clause
        for clause in clauses(second)
        if not any(same_subject(clause, other, encode) for other in mine)
    ]
    return _sentence([*mine, *new])


def _gentler(hint: str) -> str:
    """Return the same advice, each clause asking for little."""
    softened: list[str] = []
    for clause in clauses(hint):
        asked = wanted(clause)
        if asked is None or asks_gently(clause):
            softened.append(clause)
        else:
            softened.append(advice(asked.phrase, gently=True))
    return _sentence(softened)


def _sentence(parts: Sequence[str]) -> str:
    first, *others = (part.rstrip(" .;,") for part in parts)
    return "; ".join([first[0].upper() + first[1:], *(o[0].lower() + o[1:] for o in others)]) + "."
