"""Files that wait to be loaded: one of each sender and domain, for a short time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from ..errors import InputError
from .schema.uploads import UploadRow
from .texts import made_storable
from .uuids import uuid_of

UploadKind = Literal["items", "sessions", "table"]
"""Items as JSONL, sessions as JSONL, or interactions as CSV."""
_LONGEST_NAME = 100
_WAITS, _WAITS_FOR_JOB = "1 hour", "1 day"
_MOST_SUBMITTED = 20
"""Files of one sender and catalogue that wait for their jobs at the same time."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file.

    Attributes:
        id: Its key.
        name: As the sender calls it.
        kind: What it holds.
        content: Its bytes, as they came.
    """

    id: uuid.UUID
    name: str
    kind: UploadKind
    content: bytes


async def store_upload(
    connection: AsyncConnection,
    domain_id: int,
    name: str,
    kind: UploadKind,
    content: bytes,
    *,
    source: str,
) -> uuid.UUID:
    """Store a file in place of the last one that its sender has not submitted.

    Args:
        connection: In a transaction.
        name: As the sender calls it; only its last part is kept.
        source: The id of the API key that sends it, or `local`.

    Returns:
        Its key.
    """
    await forget_old_uploads(connection)
    await connection.execute(
        delete(UploadRow).where(
            UploadRow.domain_id == domain_id, UploadRow.source == source, ~UploadRow.submitted
        )
    )
    last = made_storable(name).replace("\\", "/").rpartition("/")[2]
    key = uuid.uuid4()
    await connection.execute(
        insert(UploadRow).values(
            id=key,
            domain_id=domain_id,
            source=source,
            name=last[-_LONGEST_NAME:] or "file",
            kind=kind,
            content=content,
        )
    )
    return key


async def find_upload(connection: AsyncConnection, domain_id: int, key: str) -> Upload:
    """Return a file of a domain.

    Raises:
        InputError: There is none, or none any more.
    """
    row = None
    if (known := uuid_of(key)) is not None:
        statement = select(UploadRow.id, UploadRow.name, UploadRow.kind, UploadRow.content).where(
            UploadRow.id == known, UploadRow.domain_id == domain_id
        )
        row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise InputError("upload", "The file is no longer there.", "Send it again.")
    return Upload(row.id, row.name, cast("UploadKind", row.kind), row.content)


async def mark_submitted(connection: AsyncConnection, upload: uuid.UUID) -> None:
    """Keep a file for the job that is to load it.

    Args:
        connection: In a transaction.

    Raises:
        InputError: Too many files of its sender wait already.
    """
    await forget_old_uploads(connection)
    mine = aliased(UploadRow)
    others = select(func.count()).where(
        mine.id == upload,
        UploadRow.domain_id == mine.domain_id,
        UploadRow.source == mine.source,
        UploadRow.submitted,
    )
    if (await connection.scalar(others) or 0) >= _MOST_SUBMITTED:
        raise InputError(
            "upload", f"{_MOST_SUBMITTED} files wait for their jobs.", "Is `re2llm worker` running?"
        )
    changed = update(UploadRow).where(UploadRow.id == upload)
    await connection.execute(changed.values(submitted=True, created_at=func.now()))


async def forget_upload(connection: AsyncConnection, domain_id: int, key: str) -> None:
    """Delete a file of a domain, if it is there.

    Args:
        connection: In a transaction.
    """
    if (known := uuid_of(key)) is not None:
        await connection.execute(
            delete(UploadRow).where(UploadRow.id == known, UploadRow.domain_id == domain_id)
        )


async def forget_old_uploads(connection: AsyncConnection) -> None:
    """Delete files that were not submitted within an hour, or not loaded within a day.

    Args:
        connection: In a transaction.
    """
    old = [
        and_(UploadRow.submitted == submitted, UploadRow.created_at < func.now() - text(waits))
        for submitted, waits in (
            (False, f"interval '{_WAITS}'"),
            (True, f"interval '{_WAITS_FOR_JOB}'"),
        )
    ]
    await connection.execute(delete(UploadRow).where(or_(*old)))
