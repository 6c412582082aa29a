"""What the operations on sessions' sources return."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field


class SessionSource(BaseModel):
    """Where training sessions came from."""

    source: str = Field(description="`file`, `local`, or the id of an API key.")
    owner: str | None = Field(description="The key's owner.")
    sessions: int
    first: dt.datetime | None
    last: dt.datetime | None


class DroppedSessions(BaseModel):
    """What went with a source."""

    domain: str
    source: str
    sessions: int
    hints_pending: list[int] = Field(description="Ids of hints that wait for approval again.")
    feedback_settled: int = Field(description="Waiting feedback that is not learned from.")
    first_stage: Literal["kept", "fitted", "gone"] = Field(
        description="`fitted` without the sessions, which it had learned from; `gone` if too few "
        "are left for that; `kept` as it was, or as it is missing, if it had not learned from them."
    )
    trials_forgotten: int = Field(
        description="Rankings of other sessions, of what the former first stage had chosen."
    )
    weights_forgotten: list[str] = Field(
        description="How hints were chosen (`none`, `static`, `ppo:` and a release), of each "
        "weight of a model's opinion that had been measured on the sessions, too."
    )


class Purged(BaseModel):
    """What was deleted, or with `dry_run` would be."""

    dry_run: bool
    before: dt.datetime | None
    owner: str | None
    recommendations: int
    feedback: int
    sessions: int = Field(description="Observed training sessions.")
    answers: int = Field(description="Models' answers; the ledger's rows stay.")
    hints_pending: int = Field(description="Hints that wait for approval again.")
    rollouts_held: int = Field(description="Rollouts that are held, for a part of what they saw.")
