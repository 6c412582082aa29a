"""What improving a domain's hints returns."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from .results import MeasuredGain

Outcome = Literal["better", "no_better", "duplicate", "leak", "nothing", "surplus"]


class TriedChild(BaseModel):
    """A hint that was made of known ones, and what trying it has shown."""

    way: Literal["join", "mend"]
    parents: list[int] = Field(description="Ids, the one with the larger gain first.")
    text: str = Field(description="Empty if the model wrote nothing new.")
    outcome: Outcome = Field(
        description="`better`: stored, since it helps more than its best parent; `no_better`: it "
        "does not, or not beyond doubt; `duplicate`: known already; `leak`: it names an item; "
        "`nothing`: the model wrote no hint; `surplus`: there is no room."
    )
    reason: str = Field(description="In words.")
    hint_id: int | None = Field(default=None, description="If it was stored.")
    gain: MeasuredGain | None = Field(default=None, description="Over no hint.")
    over_best: MeasuredGain | None = Field(default=None, description="Over its best parent.")


class ImprovedHints(BaseModel):
    """What improving a domain's hints has done."""

    domain: str
    model: str
    tried: list[TriedChild] = Field(description="In the order in which they were tried.")
    stored: int
    llm_calls: int = Field(description="Retries included.")
    cost: float = Field(description="By `RE2LLM_PRICES`.")
    stopped: dict[str, Any] | None = Field(
        description="Why it stopped early, as an error; null if it did not."
    )
