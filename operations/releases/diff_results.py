"""What comparing two releases returns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from .results import ListedRelease


class DifferingHint(BaseModel):
    """A hint that only one of two releases was trained on."""

    id: int
    text: str = Field(description="Empty if it is not stored any more.")
    status: str = Field(description="`active`, `pending`, `retired` or `deleted`.")


class Difference(BaseModel):
    """A setting or a figure of two releases."""

    name: str
    first: Any = Field(description="Null where the release does not have it.")
    second: Any


class LoggedEstimate(BaseModel):
    """What the log says about one release."""

    report: dict[str, Any] | None = Field(description="As `policy evaluate --json` prints it.")
    problem: str = Field(description="Why it says nothing; else empty.")


class DifferingSession(BaseModel):
    """A training session for which two releases choose differently."""

    session: int
    history: list[str] = Field(description="Titles, oldest first.")
    first: list[int] = Field(description="Ids of the hints that the first gives; empty for none.")
    second: list[int]


class ReleaseDiff(BaseModel):
    """How two releases differ."""

    domain: str
    first: ListedRelease
    second: ListedRelease
    hints_added: list[DifferingHint] = Field(description="Only the second was trained on them.")
    hints_removed: list[DifferingHint] = Field(description="Only the first was.")
    settings: list[Difference] = Field(description="Of training and serving, that differ.")
    validation: list[Difference] = Field(description="Figures on validation sessions.")
    logged: tuple[LoggedEstimate, LoggedEstimate] | None = Field(
        description="Off-policy estimates, first and second; null if not asked for."
    )
    sessions: int = Field(description="Random training sessions for which both chose.")
    differing: list[DifferingSession] = Field(description="Those for which they chose differently.")
    problem: str = Field(description="Why they cannot choose for sessions; else empty.")
