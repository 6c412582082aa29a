"""Hints: store them and fetch those that may be given to the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from .tables import HintRow

LONGEST_HINT = 500
"""Characters that a hint may have: it is a line of advice, not an essay."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A stored lesson.

    Attributes:
        id: Its key.
        text: One or two imperative sentences.
        status: `pending`, `active` or `retired`.
    """

    id: int
    text: str
    status: str


def clean_hint(text: str) -> str:
    """Return a hint's text on one line.

    Args:
        text: As somebody wrote it.

    Raises:
        InputError: It is empty or too long.
    """
    cleaned = " ".join(text.split())
    if not cleaned:
        raise InputError("hint", "The text is empty.", "Write one imperative sentence.")
    if len(cleaned) > LONGEST_HINT:
        raise InputError(
            "hint",
            f"The text has {len(cleaned)} characters.",
            f"Say it in at most {LONGEST_HINT}.",
        )
    return cleaned


async def add_hint(
    connection: AsyncConnection,
    domain_id: int,
    text: str,
    embedding: NDArray[np.float32],
    *,
    provenance: Mapping[str, Any],
) -> tuple[int, bool]:
    """Store an active hint, unless the same text is there already.

    Args:
        connection: In a transaction.
        domain_id: Where it belongs.
        text: From `clean_hint`.
        embedding: Of the text, shape `[384]`.
        provenance: Where it came from.

    Returns:
        The hint's id, and whether it is new.
    """
    statement = (
        insert(HintRow)
        .values(domain_id=domain_id, text=text, embedding=embedding, provenance=dict(provenance))
        .on_conflict_do_nothing()
        .returning(HintRow.id)
    )
    new = await connection.scalar(statement)
    if new is not None:
        return new, True
    same = select(HintRow.id).where(HintRow.domain_id == domain_id, HintRow.text == text)
    return (await connection.scalars(same)).one(), False


async def list_hints(
    connection: AsyncConnection, domain_id: int, *, status: str | None = None
) -> list[Hint]:
    """Return a domain's hints, oldest first.

    Args:
        connection: An open connection.
        domain_id: Which one.
        status: Only those of this status.
    """
    statement = _hints(domain_id).order_by(HintRow.id)
    if status is not None:
        statement = statement.where(HintRow.status == status)
    return [Hint(*row) for row in await connection.execute(statement)]


async def nearest_hints(
    connection: AsyncConnection, domain_id: int, embedding: NDArray[np.float32], *, count: int
) -> list[Hint]:
    """Return the active hints nearest in meaning, nearest first.

    Args:
        connection: An open connection.
        domain_id: Which one.
        embedding: Of the session, shape `[384]`.
        count: How many at most.
    """
    statement = (
        _hints(domain_id)
        .where(HintRow.status == "active")
        .order_by(HintRow.embedding.cosine_distance(embedding), HintRow.id)
        .limit(count)
    )
    return [Hint(*row) for row in await connection.execute(statement)]


def _hints(domain_id: int) -> Any:
    return select(HintRow.id, HintRow.text, HintRow.status).where(HintRow.domain_id == domain_id)
