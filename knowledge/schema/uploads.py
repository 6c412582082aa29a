"""The table of files that somebody has sent for import."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import ForeignKey, Index, LargeBinary, false, func
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base


class UploadRow(Base):
    """A file that waits to be loaded; soon deleted."""

    __tablename__ = "upload"
    __table_args__ = (Index(None, "domain_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    source: Mapped[str]
    """The id of the API key that sent it, or `local`."""
    name: Mapped[str]
    """As the sender calls it: shown, and never a path."""
    kind: Mapped[str]
    """`items`, `sessions` or `table`."""
    content: Mapped[bytes] = mapped_column(LargeBinary)
    submitted: Mapped[bool] = mapped_column(server_default=false())
    """Whether a job is to load it."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
