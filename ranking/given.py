"""The hints that a session is given, as the state carries them."""

from __future__ import annotations

from collections.abc import Sequence

from ..knowledge.hint_store.hints import Hint, in_order
from ..runtime.node import Update
from .state import PickedHint, RecommendState


def given(
    hints: Sequence[Hint],
    policy: str,
    probability: float,
    steps: Sequence[float] = (),
) -> Update:
    """Return hints as an update of the state.

    Args:
        hints: The hints in the order in which they were picked.
        policy: What chose them.
        probability: The probability with which it chose them, in any order.
        steps: Probability of each step, for a policy that may pick several.
    """
    shares = steps if len(steps) >= len(hints) else [probability] * len(hints)
    first = hints[0] if hints else None
    return {
        "hint": {
            "id": first.id or None if first else None,
            "text": first.text if first else None,
            "policy": policy,
            "probability": probability,
        },
        "hints": [
            {"id": hint.id or None, "text": hint.text, "probability": share}
            for hint, share in zip(hints, shares, strict=False)
        ],
        "step_probabilities": list(steps),
    }


def unhinted(state: RecommendState) -> Update:
    """Return what a state lacks whose `hint` a person has taken out: it is given none."""
    return {} if state["hint"] else given((), "none", 1.0)


def given_texts(state: RecommendState) -> list[str]:
    """Return the texts of the given hints in the order in which the prompt holds them."""
    picked: Sequence[PickedHint] = state.get("hints") or ()
    if len(picked) > 1:
        hints = [Hint(one["id"] or 0, one["text"], "active") for one in picked]
        return [hint.text for hint in in_order(hints)]
    only = state["hint"]["text"]
    return [only] if only else []
