"""Which models give log-probabilities, as `doctor` and earlier runs have found."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.log import LogprobsRow


async def find_logprobs(connection: AsyncConnection, model: str, server: str | None) -> bool | None:
    """Return whether a model gives log-probabilities, or `None` if that is not known.

    Args:
        server: Its base URL, or `None` for the provider's own.
    """
    return await connection.scalar(
        select(LogprobsRow.given).where(
            LogprobsRow.model == model, LogprobsRow.server == (server or "")
        )
    )


async def store_logprobs(
    connection: AsyncConnection, model: str, server: str | None, *, given: bool
) -> None:
    """Store whether a model gives log-probabilities, in place of what was known before.

    Args:
        connection: A connection in a transaction.
        server: As in `find_logprobs`.
    """
    row = {"model": model, "server": server or "", "given": given}
    await connection.execute(
        insert(LogprobsRow).on_conflict_do_update(
            index_elements=["model", "server"], set_={"given": given, "found_at": func.now()}
        ),
        row,
    )
