"""The tables of reflections: misses, what was said about them, and the hints that were proposed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base, hint_reference


class ReflectionRow(Base):
    """A miss that was reflected on, with the whole conversation."""

    __tablename__ = "reflection"
    __table_args__ = (UniqueConstraint("session_id", "model", "prompt_version"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"))
    model: Mapped[str]
    prompt_version: Mapped[str]
    rank: Mapped[int]
    """The target's rank when it was missed."""
    diagnosis: Mapped[str]
    messages: Mapped[list[Any]] = mapped_column(JSONB)
    """Role and content of each message, in order."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class BatchedMissRow(Base):
    """A further miss that a reflection was about, beside its own session's."""

    __tablename__ = "batched_miss"
    __table_args__ = (Index(None, "session_id"),)

    reflection_id: Mapped[int] = mapped_column(
        ForeignKey("reflection.id", ondelete="CASCADE"), primary_key=True
    )
    session_id: Mapped[int] = mapped_column(
        ForeignKey("session.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int]
    """Its target's rank."""


class ProposalRow(Base):
    """A hint that was proposed, and what became of it."""

    __tablename__ = "hint_proposal"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('stored', 'duplicate', 'leak', 'ineffective', 'surplus')", name="outcome"
        ),
        Index(None, "domain_id", "outcome"),
        hint_reference(),
        Index(None, "domain_id", "hint_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    reflection_id: Mapped[int | None] = mapped_column(
        ForeignKey("reflection.id", ondelete="CASCADE")
    )
    """`None` if a person proposed it, or if hints were to be improved."""
    text: Mapped[str]
    """Empty if nothing better could be made from hints; see `hint_store.attempts`."""
    outcome: Mapped[str]
    reason: Mapped[str]
    hint_id: Mapped[int | None]
    """The hint that it became, or that it repeats."""
    verification: Mapped[dict[str, Any]]
    """Mean gain with interval, sessions helped and harmed; empty if it was never tried."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
