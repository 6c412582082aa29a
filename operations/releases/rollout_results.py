"""What the operations on rollouts return."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class RolloutEvent(BaseModel):
    """Something that happened to a rollout."""

    created_at: str
    kind: str = Field(
        description="`started`, `step`, `held`, `promoted`, `taken_back` or `stopped`."
    )
    reason: str = Field(description="In one word.")
    words: str = Field(description="In a sentence.")
    percent: float = Field(description="Percentage of people who get the release from then on.")
    figures: dict[str, Any] = Field(description="What it rests on.")


class ArmCounts(BaseModel):
    """What one side of a rollout has seen."""

    people: int = Field(description="At the present step.")
    exposures: int = Field(description="Answered requests, over all steps.")
    answered: int = Field(description="Of those, with feedback in time.")
    none_picked: int = Field(description='Of those, with "none of these", which counts 0.')
    waiting: int = Field(description="Without feedback; their window is open.")
    silent: int = Field(description="Without feedback in time; they are left out, not counted 0.")
    late: int = Field(description="Of the silent ones, with feedback after the window.")


class RolloutShown(BaseModel):
    """A rollout of a release: how far it is, why, and what it rests on."""

    domain: str
    number: int = Field(description="1 for the domain's first rollout.")
    release: int
    control: int | None = Field(description="The release that was active at its start.")
    state: str = Field(description="`running`, `held`, `promoted`, `taken_back` or `stopped`.")
    percent: float = Field(description="Percentage of people who get the release now.")
    reason: str = Field(description="Why it is there, or what the next step waits for, in a word.")
    words: str = Field(description="The same in a sentence.")
    plan: dict[str, Any]
    figures: dict[str, Any] = Field(
        description="Reward and guards with intervals that hold at all times."
    )
    differ: int = Field(
        description="Answered requests of both sides for which the releases may rank differently. "
        "Only their rewards are compared."
    )
    control_counts: ArmCounts
    canary_counts: ArmCounts
    events: list[RolloutEvent]
