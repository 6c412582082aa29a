"""The tables of autopilots: what each may spend, what it decided, and what it spent each day."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base


class AutopilotRow(Base):
    """A domain's autopilot; without a row it was never turned on."""

    __tablename__ = "autopilot"
    __table_args__ = (CheckConstraint("state IN ('on', 'held', 'off')", name="state"),)

    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str]
    plan: Mapped[dict[str, Any]]
    schedule: Mapped[str]
    """Name of the schedule of its cycles."""
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_key.id", ondelete="SET NULL"))
    """The API key that turned it on, or let it go on."""
    usd_per_day: Mapped[float | None]
    """As in the plan; here for the statement that claims a call."""
    calls_per_day: Mapped[int | None]
    since: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    """When it was turned on, or resumed: a job that failed before then is no reason to hold."""
    reward_since: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    """When it was turned on, or resumed after a drop: rewards of requests before do not count."""
    rewards: Mapped[dict[str, Any] | None]
    """What `CountedRewards.as_dict` returned in the last cycle."""


class AutopilotDecisionRow(Base):
    """What an autopilot has decided, and what happened to it."""

    __tablename__ = "autopilot_decision"
    __table_args__ = (Index(None, "domain_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    action: Mapped[str]
    """One of the autopilot's actions, or `on`, `off` or `resume`, by a person."""
    reason: Mapped[str]
    words: Mapped[str]
    figures: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'::jsonb"))
    job: Mapped[str | None]
    """The job that was submitted."""
    times: Mapped[int] = mapped_column(server_default="1")
    """How often in a row it was decided to wait for the same reason."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    last_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class AutopilotDayRow(Base):
    """What an autopilot's jobs have used in a day."""

    __tablename__ = "autopilot_day"

    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(server_default="0")
    spent: Mapped[float] = mapped_column(server_default="0")
    reserved: Mapped[float] = mapped_column(server_default="0")
    """What calls in flight may cost."""
    dearest: Mapped[float] = mapped_column(server_default="0")
    """What the most expensive question cost."""
