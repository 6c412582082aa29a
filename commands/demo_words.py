"""What the demo's table shows, in words that are read off its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records import counted

_POLICY = "ppo"
_OTHERS = {
    "none": "no hint (none)",
    "random": "a random hint (random)",
    "static": "always the best hint (static)",
    "first-stage": "the first stage",
}
_FEW = "With {hints}, there is little to choose from: {pages} has runs with more."
_PAGES = "docs/results.md"


def what_it_shows(document: Mapping[str, Any], hints: int) -> list[str]:
    """Compare the trained policy with no hint, the simpler choices of a hint, and the first stage.

    Args:
        document: An evaluation's document; its `paired` differences are those of the same sessions.
        hints: How many there were to choose from.
    """
    sessions = counted(document["n"], "session")
    lines = [f"In NDCG@10, over the same {sessions} (95 % interval of the difference):"]
    unclear = False
    for other, name in _OTHERS.items():
        found = _difference(document["paired"], _POLICY, other)
        if found is None:
            continue
        mean, low, high = found
        unclear |= low <= 0 and other in {"random", "static"}
        said = "cannot be told from" if low <= 0 <= high else "beats" if low > 0 else "is below"
        lines.append(f"  {_POLICY} {said} {name}: {mean:+.3f} ({low:+.3f} to {high:+.3f})")
    if unclear:
        lines.append(_FEW.format(hints=counted(hints, "hint"), pages=_PAGES))
    return lines


def _difference(
    paired: list[dict[str, Any]], one: str, other: str
) -> tuple[float, float, float] | None:
    """Return the mean of one row minus another, with its interval."""
    for pair in paired:
        better, worse = _row(pair["a"]), _row(pair["b"])
        low, high = pair["ci95"]
        if low is None:  # of one session
            continue
        if (better, worse) == (one, other):
            return pair["diff"], low, high
        if (better, worse) == (other, one):
            return 0.0 - pair["diff"], 0.0 - high, 0.0 - low
    return None


def _row(label: str) -> str:
    """Return a policy's name, or a baseline's that no policy has."""
    return label.removeprefix("policy:")
