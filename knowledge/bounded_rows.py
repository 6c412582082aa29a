"""Reads histories and candidates of recommendations, no more than memory can hold."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection

_AT_A_TIME = 20
_MOST_IDS = 2_000_000
"""Most item ids in all rows together."""


async def bounded_rows(
    connection: AsyncConnection, statement: Select[*tuple[Any, ...]], most: int
) -> list[Row[*tuple[Any, ...]]]:
    """Return the first rows of a query for histories and candidates, no more than memory can hold.

    Args:
        connection: A connection in a transaction.
        statement: Its rows have `history` and `candidates`.
        most: Rows.
    """
    found: list[Row[*tuple[Any, ...]]] = []
    ids = 0
    few_at_a_time = {"yield_per": _AT_A_TIME}
    async with connection.stream(statement.limit(most), execution_options=few_at_a_time) as rows:
        async for row in rows:
            ids += len(row.history) + len(row.candidates)
            if found and ids > _MOST_IDS:
                break
            found.append(row)
    return found
