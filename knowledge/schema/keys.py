"""The tables of API keys, of what each has spent, and of who has signed in with one."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base


class ApiKeyRow(Base):
    """A key that lets a program use the server; the secret itself is not stored."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    """Part of the key, so that it can be looked up."""
    owner: Mapped[str]
    """The owner whose threads and runs it opens; several keys may have one owner."""
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of the secret part."""
    models: Mapped[list[str]] = mapped_column(server_default="{}")
    """Models that it may name, besides the server's own."""
    may: Mapped[list[str]] = mapped_column(server_default="{}")
    """`learn`, `export`."""
    calls_per_day: Mapped[int | None]
    usd_per_day: Mapped[float | None]
    requests_per_minute: Mapped[int | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[dt.datetime | None]


class ApiKeyDomainRow(Base):
    """A domain that a key may know of."""

    __tablename__ = "api_key_domain"

    key_id: Mapped[str] = mapped_column(
        ForeignKey("api_key.id", ondelete="CASCADE"), primary_key=True
    )
    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )


class ApiKeyDayRow(Base):
    """What a key has used on one day (UTC)."""

    __tablename__ = "api_key_day"

    key_id: Mapped[str] = mapped_column(
        ForeignKey("api_key.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    calls: Mapped[int]
    """Requests to a provider, retries included."""
    answered: Mapped[int]
    """Answered questions; the mean cost is over these."""
    spent: Mapped[float]
    reserved: Mapped[float]
    """What calls in flight may cost; if a process dies, its part stays for the day."""


class ApiKeyMinuteRow(Base):
    """How many requests a key has made in its latest minute."""

    __tablename__ = "api_key_minute"

    key_id: Mapped[str] = mapped_column(
        ForeignKey("api_key.id", ondelete="CASCADE"), primary_key=True
    )
    minute: Mapped[dt.datetime]
    requests: Mapped[int]


class ConsoleSessionRow(Base):
    """A browser that has signed in to the console with a key."""

    __tablename__ = "console_session"
    __table_args__ = (Index(None, "key_id"),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the token in the browser's cookie."""
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id", ondelete="CASCADE"))
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[dt.datetime]
