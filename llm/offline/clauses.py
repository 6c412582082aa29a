"""Splits a hint into clauses, and tells which way and how strongly each one asks."""

from __future__ import annotations

import re

_CLAUSES = re.compile(
    r"[.;:!?]{1,9}+(?:\s{1,9}+|$)|,?\s{1,9}+but\b\s{1,9}+|,\s{0,9}+(?:and\s{1,9}+)?then\s{1,9}+|"
    r"(?<!\bdo)(?<!\bdoes),?\s{1,9}+(?=rather than|instead of|over (?!time|the )|not merely|not )|"
    # A second piece of advice: "prefer X and avoid Y".
    r",?\s{1,9}+and\s{1,9}+(?=(?:avoid|prefer|favou?r|trust|never|ignore|do not|don\W?t)\b)|"
    # What a thing is done for or by has a direction of its own: "beyond X to include Y".
    r"\s{1,9}+(?=to (?:include|introduce|embrace|add|counteract|avoid|reduce|prevent)\b)|"
    r"\s{1,9}+(?-i:(?=by (?:[a-z]{1,20}ly )?[a-z]{1,20}ing\b))",
    re.IGNORECASE,
)
AGAINST = re.compile(
    r"\b(?:do not|don\W?t|doesn\W?t|avoid\w*|never|rather than|instead of|over (?!time|the )|not|"
    r"ignor\w+|different from|differ\w* from|unlike|beyond|counteract\w*|against|without|"
    r"exclud\w+|reduc\w+|stop\w*|less weight)\b",
    re.IGNORECASE,
)
GENTLY = re.compile(
    r"\b(?:slight(?:ly)?|a little|a bit|somewhat|gently|mildly|modest(?:ly)?|moderate(?:ly)?)\s+",
    re.IGNORECASE,
)
_PREFERS = re.compile(r"(?:please )?(?:\w{1,20}ly )?(?:prefer|favou?r)\b", re.IGNORECASE)
_TO = re.compile(r"\s{1,9}to\s{1,9}", re.IGNORECASE)
_LEADS_TO = frozenset(
    [
        *("according", "adjacent", "appealing", "attached", "belonging", "close", "closer"),
        *("closest", "comparable", "connected", "due", "equal", "from", "identical", "leading"),
        *("leads", "likely", "listened", "near", "nearer", "nearest", "need", "needs"),
        *("next", "prior", "related", "relative", "relevant", "seem", "seems", "similar"),
        *("specific", "tend", "tends", "true", "unique", "unlikely", "up", "want", "wants"),
    ]
)
GENTLE = 1 / 3
"""How much a clause that asks for little counts, beside one that just asks."""


def clauses(hint: str) -> list[str]:
    """Split a hint into its clauses.

    "Prefer one thing to another" becomes two: "Prefer one thing" and "rather than another".
    """
    parts = [part.strip() for part in _CLAUSES.split(hint) if part and part.strip(" ,")]
    return [half for part in parts for half in _compared(part)]


def _compared(clause: str) -> list[str]:
    """Split a clause where it begins to name what is preferred less."""
    prefers = _PREFERS.match(clause)
    if prefers is None:
        return [clause]
    for place, found in enumerate(_TO.finditer(clause, prefers.end() + 1)):
        words = clause[prefers.end() : found.start()].lower().split()
        # Each of these words has a "to" of its own, as in "similar to" and "from one to another".
        if sum(word in _LEADS_TO for word in words) <= place:
            return [clause[: found.start()].rstrip(" ,"), f"rather than {clause[found.end() :]}"]
    return [clause]


def asks_gently(clause: str) -> bool:
    """Tell whether a clause asks for little, as in "slightly prefer".

    Args:
        clause: A clause from `clauses`.
    """
    return GENTLY.search(clause) is not None
