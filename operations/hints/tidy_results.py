"""What tidying a domain's hints returns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ...ranking.hints.tidy_store import Standing, Verdict
from .results import MeasuredGain


class TidiedHint(BaseModel):
    """A hint whose status changes."""

    id: int
    text: str
    verdict: Verdict = Field(
        description="`helps`: proven, so a pending hint becomes active; `same`: says what another "
        "one says, which takes its trials over; `harms`, `harms_lately`: on all sessions, or on "
        "the newest ones; `no_effect`, `no_gain`: changes nothing, or not for the better; "
        "`dominated`: another one is as good nearly everywhere; `unused`: the policy never chooses "
        "it; `surplus`: there is room only for more promising ones."
    )
    before: str = Field(description="Its status until now.")
    status: str = Field(description="From now on; in a dry run, what it would be.")
    reason: str
    figures: dict[str, Any] = Field(
        description="What it was decided by; `hint` is the other one, where there is one."
    )


class StandingHint(BaseModel):
    """A hint that stays."""

    id: int
    text: str
    status: str
    standing: Standing = Field(
        description="`helps`: its gain is proven; `undecided`: more trials are needed."
    )
    gain: MeasuredGain


class TidiedHints(BaseModel):
    """What tidying a domain's hints has done."""

    domain: str
    model: str
    dry_run: bool = Field(description="Whether all hints were left as they are.")
    changed: list[TidiedHint] = Field(description="In the order in which it was decided.")
    kept: list[StandingHint] = Field(description="Active and pending hints, oldest first.")
    undecided: int = Field(description="Of those, how many need more trials.")
    trials: int = Field(description="Rankings with a hint that were paid for.")
    llm_calls: int = Field(description="Retries included.")
    cost: float = Field(description="By `RE2LLM_PRICES`.")
    stopped: dict[str, Any] | None = Field(
        description="Why it stopped early, as an error; null if it did not."
    )
