"""The tables of what was counted before, so that pages need not read the whole log again."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base, hint_reference


class HintUseRow(Base):
    """How many answers were logged with a hint, up to the domain's `uses_until`."""

    __tablename__ = "hint_use"
    __table_args__ = (hint_reference(ondelete="CASCADE"),)

    domain_id: Mapped[int] = mapped_column(primary_key=True)
    hint_id: Mapped[int] = mapped_column(primary_key=True)
    uses: Mapped[int] = mapped_column(BigInteger)


class LlmDayRow(Base):
    """The ledger of one ended day (UTC), summed up; without answers that are used again later."""

    __tablename__ = "llm_day"

    day: Mapped[dt.date] = mapped_column(primary_key=True)
    command: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    api_key_id: Mapped[str] = mapped_column(primary_key=True)
    """Empty if no key asked."""
    calls: Mapped[int] = mapped_column(BigInteger)
    requests: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    tokens_in: Mapped[int] = mapped_column(BigInteger)
    tokens_out: Mapped[int] = mapped_column(BigInteger)
    tokens_cached: Mapped[int] = mapped_column(BigInteger)
    estimated: Mapped[bool]
    cost: Mapped[float]
    saved: Mapped[float]
    unpriced: Mapped[int] = mapped_column(BigInteger)
    unpriced_in: Mapped[int] = mapped_column(BigInteger)
    unpriced_out: Mapped[int] = mapped_column(BigInteger)
    unpriced_cached: Mapped[int] = mapped_column(BigInteger)
