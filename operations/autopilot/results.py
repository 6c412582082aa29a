"""What the operations on autopilots return."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class AutopilotDecision(BaseModel):
    """Something that an autopilot has decided, or that a person did with it."""

    created_at: str
    last_at: str = Field(description="When it was last decided, of the same one several times.")
    action: str = Field(
        description="`wait`, `hold`, `learn`, `tidy`, `train`, `roll_out` or `stop_rollout`; by a "
        "person `on`, `off` or `resume`."
    )
    reason: str = Field(description="In one word.")
    words: str = Field(description="In a sentence.")
    figures: dict[str, Any] = Field(description="What it rests on.")
    job: str | None = Field(default=None, description="The job that was submitted.")
    times: int = Field(default=1, description="How often in a row it was decided.")


class AutopilotDay(BaseModel):
    """What an autopilot's jobs have used in a day."""

    day: str = Field(description="In UTC.")
    llm_calls: int
    max_llm_calls: int | None = Field(description="That may be made; null for any number.")
    cost: float = Field(description="Spent, by `RE2LLM_PRICES`.")
    reserved: float = Field(description="What calls in flight may cost.")
    max_cost: float | None = Field(description="That may be spent; null for any amount.")


class AutopilotShown(BaseModel):
    """A domain's autopilot: whether it is on, what it has decided and what it has spent."""

    domain: str
    state: str = Field(description="`off`, `on` or `held`.")
    says: str = Field(description="Its state, in a sentence.")
    remedy: str = Field(description="What a person has to do; empty for nothing.")
    plan: dict[str, Any] | None = Field(description="Null if it was never turned on.")
    schedule: str | None = Field(description="Name of the schedule of its cycles.")
    reward: dict[str, Any] | None = Field(
        description="Live reward against that just after the release was promoted; null while it "
        "is off."
    )
    days: list[AutopilotDay] = Field(description="Today, and the last days before.")
    decisions: list[AutopilotDecision] = Field(description="The newest first.")
