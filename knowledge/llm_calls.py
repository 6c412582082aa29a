"""The ledger of paid model calls, which is also the cache of their answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Date, cast, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from .log_tables import LlmCallRow
from .texts import made_storable

ANSWERED = ("ok", "misshapen")
"""Outcomes of calls that brought an answer."""

_BOOK_MANY = insert(LlmCallRow)
_SLICE = 1000
"""Keys in one query."""

# The commit need not wait for the disk, which any later one does.
_BOOK = insert(LlmCallRow).returning(func.set_config("synchronous_commit", "off", true()))


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
        cost: By the price table; `None` without a price.
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
        connection: In a transaction.
    """
    await connection.execute(_BOOK, _row(made))


async def book_calls(connection: AsyncConnection, made: Sequence[LlmCall]) -> None:
    """Store many paid calls.

    Args:
        connection: In a transaction.
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


async def cached_answer(connection: AsyncConnection, key: bytes) -> str | None:
    """Return the answer that a prompt was given before, and count that it served again.

    Args:
        connection: In a transaction.
    """
    latest = (
        select(LlmCallRow.id)
        .where(LlmCallRow.key == key, LlmCallRow.answer.is_not(None))
        .order_by(LlmCallRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return await connection.scalar(
        update(LlmCallRow)
        .where(LlmCallRow.id == latest)
        .values(hits=LlmCallRow.hits + 1)
        .returning(LlmCallRow.answer)
    )


async def sum_calls(
    connection: AsyncConnection, since: dt.datetime | None = None, *, key: str | None = None
) -> list[Mapping[str, Any]]:
    """Sum the ledger up by day (UTC), command and model, the latest day first.

    Args:
        since: Only calls from then on.
        key: Only those of the API key of this id.

    Returns:
        For each: day, command, model, calls, requests, failed, cached, tokens in, out and cached,
        whether some are estimated, cost, what was saved, and the calls without a price with their
        tokens.
    """
    day = cast(func.timezone("UTC", LlmCallRow.created_at), Date).label("day")
    answered = LlmCallRow.outcome.in_(ANSWERED)
    unpriced = LlmCallRow.cost.is_(None)
    statement = (
        select(
            day,
            LlmCallRow.command,
            LlmCallRow.model,
            func.count().label("calls"),
            func.sum(LlmCallRow.requests).label("requests"),
            func.count().filter(~answered).label("failed"),
            func.sum(LlmCallRow.hits).label("cached"),
            func.sum(LlmCallRow.tokens_in).label("tokens_in"),
            func.sum(LlmCallRow.tokens_out).label("tokens_out"),
            func.sum(LlmCallRow.tokens_cached).label("tokens_cached"),
            func.bool_or(LlmCallRow.estimated).label("estimated"),
            func.coalesce(func.sum(LlmCallRow.cost), 0.0).label("cost"),
            func.sum(LlmCallRow.saved).label("saved"),
            func.count().filter(unpriced).label("unpriced"),
            *(
                func.coalesce(func.sum(tokens).filter(unpriced), 0).label(f"unpriced_{way}")
                for way, tokens in (
                    ("in", LlmCallRow.tokens_in),
                    ("out", LlmCallRow.tokens_out),
                    ("cached", LlmCallRow.tokens_cached),
                )
            ),
        )
        .group_by(day, LlmCallRow.command, LlmCallRow.model)
        .order_by(day.desc(), LlmCallRow.command, LlmCallRow.model)
    )
    if since is not None:
        statement = statement.where(LlmCallRow.created_at >= since)
    if key is not None:
        statement = statement.where(LlmCallRow.api_key_id == key)
    rows = (await connection.execute(statement)).mappings()
    return [{**row, "day": row["day"].isoformat()} for row in rows]
