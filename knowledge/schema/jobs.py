"""The tables of jobs, of what they may spend, and of the pace at which models are called."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, false, func
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base


class JobRow(Base):
    """Long work that any number of workers share, with its budget."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state", "state"), Index(None, "key_id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    kind: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    """What was asked for; people's sessions in it are removed when the job ends."""
    version: Mapped[str]
    """The version of the code that runs it."""
    attempt: Mapped[int] = mapped_column(server_default="1")
    """How often it was started; resuming and retrying count."""
    state: Mapped[str] = mapped_column(server_default="running")
    reason: Mapped[str] = mapped_column(server_default="")
    """Why it stopped or failed."""
    pieces: Mapped[int | None]
    result: Mapped[dict[str, Any] | None]
    schedule: Mapped[str | None]
    """The name of the schedule that submitted it."""
    autopilot: Mapped[bool] = mapped_column(server_default=false())
    """Whether it is a step of the domain's autopilot, whose budget of the day counts too."""
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_key.id", ondelete="SET NULL"))
    """The API key that started it, directly or by a schedule or an autopilot."""
    max_calls: Mapped[int | None]
    max_tokens: Mapped[int | None] = mapped_column(BigInteger)
    max_cost: Mapped[float | None]
    calls: Mapped[int] = mapped_column(server_default="0")
    answered: Mapped[int] = mapped_column(server_default="0")
    tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    spent: Mapped[float] = mapped_column(server_default="0")
    reserved: Mapped[float] = mapped_column(server_default="0")
    """What calls in flight may cost."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[dt.datetime | None]


class ModelPaceRow(Base):
    """When the next call of a model may start, over all workers."""

    __tablename__ = "model_pace"

    model: Mapped[str] = mapped_column(primary_key=True)
    next_at: Mapped[dt.datetime]
