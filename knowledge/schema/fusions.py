"""The tables of first stages, and of each model's weight against them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base


class FirstStageRow(Base):
    """A ranker that was learned from past sessions alone; the newest of a domain serves."""

    __tablename__ = "first_stage"
    __table_args__ = (Index(None, "domain_id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(BigInteger)
    """The domain's revision when it was fitted."""
    model: Mapped[bytes] = mapped_column(LargeBinary)
    """Its parameters, as safetensors."""
    metrics: Mapped[dict[str, Any]]
    """Measured on training sessions, each ranked by a model that has not seen it."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class FusionRow(Base):
    """The weight of a model's opinion against the first stage's, learned on training sessions."""

    __tablename__ = "fusion"

    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )
    model: Mapped[str] = mapped_column(primary_key=True)
    prompt_version: Mapped[str] = mapped_column(primary_key=True)
    policy: Mapped[str] = mapped_column(primary_key=True)
    """How the hint was chosen: none, static or ppo."""
    learned: Mapped[dict[str, Any]]
    """The weight, what each place gets, and the gain with its interval."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
