"""What training returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ...policies.recipes import PolicyRecipe
from ...records import counted
from ..hints.results import RetiredHint
from .few_cells import VisitsEndedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRelease:
    """A trained policy that was stored as a release.

    Attributes:
        domain: Name of the domain.
        release: Its number.
        recipe: The kind of policy.
        active: Whether it serves now.
        why_not: Why it does not serve; empty if it does. What speaks against it comes first, also
            where it was asked for without activating it.
        gain: Mean gain in NDCG@10 over no hint on validation sessions.
        static_gain: Likewise, of the best single hint.
        mean_hints: Mean number of hints that it gives there.
        validation_sessions: How many there are.
        update: PPO rollouts before the chosen checkpoint; 0 for the untrained policy.
        by_session: Whether it chooses for each session; else that gained less on validation
            sessions than the best single hint, and it gives that to all.
        cells: Pairs of session and hint, set of hints or no hint, whose reward is known.
        all_cells: Pairs that there are, with no hint counted as one.
        visited_sessions: Sessions beyond the panel in which the best hints were tried; `None` if
            training paid for every cell that it visited. Likewise the next three.
        more_gain: What trials on all other sessions would likely add to the gain; `None` if none
            are left.
        more_noise: The standard error with which that could be measured.
        visits_ended_by: Why no more was paid for.
        llm_calls: Model calls, retries included.
        cost: By `RE2LLM_PRICES`.
        unanswered: Trials that the model left unanswered.
        fusion: For each way to choose hints, how much the model's opinion counts beside the first
            stage and what it adds; empty where the model alone ranks.
        seconds: How long it took.
        retired_hints: Hints that were retired for harm that its trials have shown.
        trials_forgotten: Paid rankings of what a former first stage had chosen, which a new one has
            replaced.
        weights_forgotten: How hints were chosen, of each measured weight of a model that went, too.
    """

    domain: str
    release: int
    recipe: PolicyRecipe
    active: bool
    why_not: str
    gain: float
    static_gain: float
    mean_hints: float
    validation_sessions: int
    update: int
    by_session: bool
    cells: int
    all_cells: int
    visited_sessions: int | None
    more_gain: float | None
    more_noise: float | None
    visits_ended_by: VisitsEndedBy | None
    llm_calls: int
    cost: float
    unanswered: int
    fusion: Mapping[str, Any]
    seconds: float
    retired_hints: list[RetiredHint]
    trials_forgotten: int = 0
    weights_forgotten: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON primitives."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "retired_hints": [hint.model_dump() for hint in self.retired_hints],
        }


def what_more_would_bring(trained: TrainedRelease) -> str:
    """Say why training tried no more hints, and what more trials would likely gain."""
    sessions = counted(trained.visited_sessions or 0, "session")
    if trained.more_gain is None or trained.more_noise is None:
        return f"The best hints were tried in all {sessions} beyond the panel."
    why = (
        "Stopped by itself, since"
        if trained.visits_ended_by == "noise"
        else "Stopped by the limit;"
    )
    is_less = "is less than" if trained.visits_ended_by == "noise" else "compares with"
    return (
        f"The best hints were tried in {sessions} beyond the panel. Trials in all others would "
        f"likely add {trained.more_gain:+.4f} NDCG@10. {why} that {is_less} its noise, "
        f"{trained.more_noise:.4f}."
    )
