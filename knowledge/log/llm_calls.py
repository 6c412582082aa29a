"""The ledger of paid model calls, which is also the cache of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prepared import PREPARED
from ..schema.log import LlmCallRow
from ..texts import made_storable

ANSWERED = ("ok", "misshapen")
"""Outcomes of calls with an answer."""

_BOOK_MANY = insert(LlmCallRow)
_SLICE = 1000
"""Keys in one query."""

# The commit need not wait for the disk, which any later one does.
_BOOK = (
    insert(LlmCallRow)
    .returning(func.set_config("synchronous_commit", "off", true()))
    .execution_options(**PREPARED)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCall:
    """One paid question to a model.

    Attributes:
        key: Digest of model, server and prompt.
        command: What asked, such as `learn`.
        purpose: What for.
        model: Its name.
        method: How it was held to the answer's form.
        outcome: `ok`, `misshapen`, or the kind of failure.
        answer: The text, where the same prompt may be answered with it again.
        requests: Sent to the provider, retries included.
        tokens_in: Prompt tokens.
        tokens_out: Answer tokens.
        tokens_cached: Prompt tokens that the provider had in its cache.
        estimated: Whether the tokens are estimated.
        latency_ms: Milliseconds, pauses included.
        cost: The cost by the price table; `None` without a price.
        saved: How much more it would have cost, asked alone and with nothing in a cache.
        api_key_id: The key that asked, if one did.
    """

    key: bytes
    command: str
    purpose: str
    model: str
    method: str
    outcome: str
    answer: str | None
    requests: int
    tokens_in: int
    tokens_out: int
    estimated: bool
    latency_ms: float
    cost: float | None
    tokens_cached: int = 0
    saved: float = 0.0
    api_key_id: str | None = None


async def book_call(connection: AsyncConnection, made: LlmCall) -> None:
    """Store a paid call. Text that the database cannot hold is replaced, so that none gets lost.

    Args:
        connection: A connection in a transaction.
    """
    await connection.execute(_BOOK, _row(made))


async def book_calls(connection: AsyncConnection, made: Sequence[LlmCall]) -> None:
    """Store many paid calls.

    Args:
        connection: A connection in a transaction.
    """
    if made:
        await connection.execute(_BOOK_MANY, [_row(one) for one in made])


def _row(made: LlmCall) -> dict[str, Any]:
    return {
        name: made_storable(value) if isinstance(value, str) else value
        for name, value in asdict(made).items()
    }


async def answered_keys(connection: AsyncConnection, keys: Sequence[bytes]) -> set[bytes]:
    """Return which of these prompts have an answer."""
    found = set[bytes]()
    for start in range(0, len(keys), _SLICE):
        some = keys[start : start + _SLICE]
        query = select(LlmCallRow.key).where(
            LlmCallRow.key.in_(some), LlmCallRow.answer.is_not(None)
        )
        found.update(await connection.scalars(query))
    return found


@dataclass(frozen=True, slots=True)
class PaidAnswer:
    """An answer that was paid for before.

    Attributes:
        text: The model's.
        latency_ms: Milliseconds until it came.
        tokens_in: Prompt tokens.
        tokens_out: Answer tokens.
        tokens_cached: Prompt tokens that the provider had in its cache.
    """

    text: str
    latency_ms: float
    tokens_in: int
    tokens_out: int
    tokens_cached: int


async def cached_answer(connection: AsyncConnection, key: bytes) -> PaidAnswer | None:
    """Return the answer that a prompt was given before, and count that it served again.

    Args:
        connection: A connection in a transaction.
    """
    latest = (
        select(LlmCallRow.id)
        .where(LlmCallRow.key == key, LlmCallRow.answer.is_not(None))
        .order_by(LlmCallRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    again = (
        update(LlmCallRow)
        .where(LlmCallRow.id == latest)
        .values(hits=LlmCallRow.hits + 1)
        .returning(
            LlmCallRow.answer,
            LlmCallRow.latency_ms,
            LlmCallRow.tokens_in,
            LlmCallRow.tokens_out,
            LlmCallRow.tokens_cached,
        )
    )
    row = (await connection.execute(again)).one_or_none()
    return None if row is None else PaidAnswer(row[0] or "", *row[1:])
