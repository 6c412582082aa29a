"""What a run of learning returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from ...errors import Re2llmError
from ..hints.results import RetiredHint
from ..hints.tidy_results import TidiedHint


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a run of learning did.

    Attributes:
        domain: Name of the domain.
        sessions_before: Sessions that were settled by earlier runs.
        sessions_left: Sessions that are not settled.
        sessions: Sessions that this run learned from.
        missed: How many of those the model missed.
        failed: Sessions that the model left unanswered; another run retries them.
        declined: How many of those missed the reflecting model declined to answer about; only
            another model is asked again.
        proposed: Proposed hints; the next five fields are their outcomes.
        stored: Stored.
        duplicate: Repeat a stored hint.
        leak: Name an item.
        ineffective: Have no measured gain.
        surplus: Passed, but there was room only for better ones.
        retired: Older hints retired for measured harm, counted.
        retired_hints: Which these are, and why.
        tidied: What tidying has changed afterwards, by the trials so far.
        llm_calls: Model calls, retries included.
        tokens: Tokens in and out.
        cost: The cost by `RE2LLM_PRICES`.
        hints: Active and pending hints in the domain now.
        advice: What to do if there is too little to learn from, or no hint was written; else empty.
        full: Whether it stopped early because there were as many hints as are allowed. Tidying may
            have retired some since.
        trials_forgotten: Paid rankings of what a former first stage had chosen, which a new one has
            replaced.
        weights_forgotten: How hints were chosen, of each measured weight of a model that went, too.
        stopped: Why else it stopped early: the budget is spent, or the model has long been down.
    """

    domain: str
    sessions_before: int
    sessions_left: int
    sessions: int
    missed: int
    failed: int
    declined: int
    proposed: int
    stored: int
    duplicate: int
    leak: int
    ineffective: int
    surplus: int
    retired: int
    retired_hints: list[RetiredHint]
    tidied: list[TidiedHint]
    llm_calls: int
    tokens: int
    cost: float
    hints: int
    advice: str
    full: bool
    stopped: Re2llmError | None
    trials_forgotten: int = 0
    weights_forgotten: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON primitives; `stopped` is an error's document, or `None`."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **document,
            "stopped": None if self.stopped is None else self.stopped.as_dict(),
            "retired_hints": [hint.model_dump() for hint in self.retired_hints],
            "tidied": [hint.model_dump() for hint in self.tidied],
        }
