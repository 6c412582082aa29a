"""Answers by idempotency key, so that a request that is sent twice is done once.

A key belongs to one caller. The first request with it claims it, does the work and stores the
answer. A claim whose process died expires soon, and the next request takes it over.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import LargeBinary, Text, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from .schema.tables import Base

KEPT = dt.timedelta(days=1)
"""How long an answer is given again."""
CLAIMED = dt.timedelta(minutes=2)
"""How long a claim holds without an answer."""


class IdempotentAnswerRow(Base):
    """A caller's key with the digest of its request, and the answer once there is one."""

    __tablename__ = "idempotent_answer"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    """The id of the API key that asked, or `local`."""
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)


_Row = IdempotentAnswerRow
_EXPIRED = (
    select(_Row.source, _Row.key)
    .where(_Row.expires_at < func.now())
    .with_for_update(skip_locked=True)
)
"""Skips rows that another request deletes: two that wait for each other would fail."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of a key.

    Attributes:
        state: `ours`: do the work now; `done`: `answer` holds what was answered; `busy`: another
            request is doing it; `other`: the key came with another request.
        answer: The answer as stored.
    """

    state: Literal["ours", "done", "busy", "other"]
    answer: dict[str, Any] | None = None


async def claim_answer(connection: AsyncConnection, source: str, key: str, digest: bytes) -> Claim:
    """Claim a key for a request, or return what became of it.

    Args:
        connection: A connection in a transaction.
        source: The id of the caller's API key, or `local`.
        key: The key that the caller sent.
        digest: The request's digest.
    """
    await connection.execute(delete(_Row).where(tuple_(_Row.source, _Row.key).in_(_EXPIRED)))
    claimed = await connection.scalar(
        insert(_Row)
        .values(source=source, key=key, digest=digest, expires_at=func.now() + CLAIMED)
        .on_conflict_do_nothing()
        .returning(_Row.key)
    )
    if claimed is not None:
        return Claim("ours")
    found = (
        await connection.execute(
            select(_Row.digest, _Row.answer).where(_Row.source == source, _Row.key == key)
        )
    ).one_or_none()
    if found is None:  # released or expired in between
        return Claim("busy")
    if found.digest != digest:
        return Claim("other")
    return Claim("busy") if found.answer is None else Claim("done", found.answer)


async def keep_answer(
    connection: AsyncConnection, source: str, key: str, digest: bytes, answer: dict[str, Any]
) -> None:
    """Store the answer to a claimed request.

    Args:
        connection: A connection in a transaction.
        source: The source of the claim.
        key: The key of the claim.
        digest: The digest of the claim.
        answer: To be given again.
    """
    await connection.execute(
        update(_Row)
        .where(_Row.source == source, _Row.key == key, _Row.digest == digest)
        .values(answer=answer, expires_at=func.now() + KEPT)
    )


async def release_claim(connection: AsyncConnection, source: str, key: str) -> None:
    """Give up a claim, so that the request may be sent again.

    Args:
        connection: A connection in a transaction.
        source: The source of the claim.
        key: The key of the claim.
    """
    await connection.execute(
        delete(_Row).where(
            _Row.source == source,
            _Row.key == key,
            _Row.answer.is_(None),
        )
    )
