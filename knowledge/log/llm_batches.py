"""Batches of questions that are under way, so that an ended process pays for none twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prompted_model import PromptedModel, of_model
from ..schema.log import LlmBatchRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Questions that were sent together.

    Attributes:
        id: Its row's; 0 before it is stored.
        model: The model's name.
        server: Its base URL; empty for the provider's own.
        prompt_version: The prompt version of the questions.
        command: What asked, such as `train`.
        method: How the model is held to the answer's form.
        keys: The keys of the questions, as in the ledger.
        file_id: The provider's name for the file of questions.
        remote_id: The provider's name for the batch, or `None` if that was not confirmed.
    """

    id: int = 0
    model: str
    server: str
    prompt_version: str
    command: str
    method: str
    keys: Sequence[bytes]
    file_id: str
    remote_id: str | None = None


async def store_batch(connection: AsyncConnection, batch: Batch) -> int:
    """Store a batch before it is started, and return its id.

    Args:
        connection: A connection in a transaction.
    """
    values = {
        "model": batch.model,
        "server": batch.server,
        "prompt_version": batch.prompt_version,
        "command": batch.command,
        "method": batch.method,
        "keys": list(batch.keys),
        "file_id": batch.file_id,
    }
    stored = insert(LlmBatchRow).values(values).returning(LlmBatchRow.id)
    return (await connection.execute(stored)).scalar_one()


async def note_status(
    connection: AsyncConnection, batch_id: int, remote_id: str, status: str
) -> None:
    """Note what the provider says of a batch.

    Args:
        connection: A connection in a transaction.
    """
    await connection.execute(
        update(LlmBatchRow)
        .where(LlmBatchRow.id == batch_id)
        .values(remote_id=remote_id, status=status)
    )


async def open_batches(
    connection: AsyncConnection, prompted_model: PromptedModel, server: str
) -> list[Batch]:
    """Return the batches whose answers are not booked, the oldest first."""
    names = (
        *("id", "model", "server", "prompt_version", "command", "method"),
        *("keys", "file_id", "remote_id"),
    )
    rows = await connection.execute(
        select(*(getattr(LlmBatchRow, name) for name in names))
        .where(
            of_model(LlmBatchRow, prompted_model),
            LlmBatchRow.server == server,
            LlmBatchRow.ended_at.is_(None),
        )
        .order_by(LlmBatchRow.id)
    )
    return [Batch(**row) for row in rows.mappings()]


async def end_batch(connection: AsyncConnection, batch_id: int, status: str) -> bool:
    """Mark a batch as ended, and return whether no other process has done so before.

    Args:
        connection: A connection in the transaction that books its answers.
    """
    ended = (
        update(LlmBatchRow)
        .where(LlmBatchRow.id == batch_id, LlmBatchRow.ended_at.is_(None))
        .values(status=status, ended_at=func.now())
        .returning(LlmBatchRow.id)
    )
    return await connection.scalar(ended) is not None
