"""The tables of rollouts: what was planned, what was decided, and who was served by what."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    false,
    func,
    true,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base

LIVE = ("running", "held")
"""States in which a rollout serves."""


class RolloutRow(Base):
    """A release on its way to everybody; at most one of a domain is live."""

    __tablename__ = "rollout"
    __table_args__ = (
        UniqueConstraint("domain_id", "number"),
        Index(
            "uq_rollout_live",
            "domain_id",
            unique=True,
            postgresql_where=sql("state IN ('running', 'held')"),
        ),
        CheckConstraint(
            "state IN ('running', 'held', 'promoted', 'taken_back', 'stopped')", name="state"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    number: Mapped[int]
    """1 for the domain's first rollout."""
    release: Mapped[int]
    """Number of the release that is rolled out."""
    control: Mapped[int | None]
    """Number of the release that was active then, if any was."""
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    """The salt of the hashes of people's names."""
    plan: Mapped[dict[str, Any]]
    step: Mapped[int] = mapped_column(server_default="0")
    """Place in the plan's steps, from 0."""
    state: Mapped[str] = mapped_column(server_default="running")
    source: Mapped[str] = mapped_column(server_default="local")
    """The id of the API key that started it, or `local`."""
    looked_at: Mapped[dt.datetime | None]
    """When the last decision on it was made."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[dt.datetime | None]


class RolloutEventRow(Base):
    """Something that happened to a rollout, with what it rests on."""

    __tablename__ = "rollout_event"
    __table_args__ = (Index(None, "rollout_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollout.id", ondelete="CASCADE"))
    kind: Mapped[str]
    """`started`, `step`, `held`, `promoted`, `taken_back` or `stopped`."""
    reason: Mapped[str]
    words: Mapped[str]
    percent: Mapped[float]
    """Percentage of people who get the release from then on."""
    figures: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'::jsonb"))
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class ExposureRow(Base):
    """One answered request of a rollout, with what was measured on it."""

    __tablename__ = "exposure"
    __table_args__ = (Index(None, "rollout_id", "step"),)

    recommendation_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("recommendation.id", ondelete="CASCADE"), primary_key=True
    )
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollout.id", ondelete="CASCADE"))
    step: Mapped[int]
    person: Mapped[bytes] = mapped_column(LargeBinary)
    """Salted hash of the caller's `user`, or of the session."""
    canary: Mapped[bool]
    """Whether the person was assigned the new release; it served unless it failed to choose."""
    probability: Mapped[float]
    """Probability of this assignment."""
    differs: Mapped[bool]
    """Whether the two releases may rank differently."""
    both_ask: Mapped[bool] = mapped_column(server_default=true())
    """Whether both releases ask the model."""
    failed: Mapped[bool] = mapped_column(server_default=false())
    """Whether the new release failed to choose."""
    fallback: Mapped[bool]
    """Whether the model's ranking or the hint was missing from the answer."""
    latency: Mapped[float]
    """Log of 1 + milliseconds."""
    cost: Mapped[float]
    """Log of 1 + tokens, weighted by their prices."""
    reward: Mapped[float | None]
    """The reward of feedback; `None` while there is none."""
    late: Mapped[bool] = mapped_column(server_default=false())
    """Whether the feedback came after the rollout's window."""
    picked: Mapped[bool] = mapped_column(server_default=false())
    """Whether something was picked; "none of these" leaves it false."""
    source: Mapped[str] = mapped_column(server_default="local")
    """The id of the API key that the feedback came with, else of the one that asked; or `local`."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
