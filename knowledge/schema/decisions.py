"""The table of what was decided on hints."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base, hint_reference


class HintDecisionRow(Base):
    """What tidying decided on a hint, with the figures that it decided by; never changed."""

    __tablename__ = "hint_decision"
    __table_args__ = (
        hint_reference(ondelete="CASCADE"),
        Index(None, "domain_id", "hint_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    hint_id: Mapped[int]
    verdict: Mapped[str]
    before: Mapped[str]
    """The hint's status until then."""
    after: Mapped[str]
    reason: Mapped[str]
    figures: Mapped[dict[str, Any]]
    model: Mapped[str]
    """The model whose trials decided; likewise the version of the prompt."""
    prompt_version: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
