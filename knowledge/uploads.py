"""Files that wait to be loaded: one of each sender and domain, for a short time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from ..errors import InputError, NotThereError
from .schema.jobs import JobRow
from .schema.uploads import UploadRow
from .texts import made_storable
from .uuids import uuid_of

UploadKind = Literal["items", "sessions", "table"]
"""Items as JSONL, sessions as JSONL, or interactions as CSV."""
_LONGEST_NAME = 100
_WAITS, _WAITS_FOR_JOB = "1 hour", "1 day"
_STORING = "1 minute"
"""Longest time until the job for a file is stored."""
_REMEDIES = {
    "running": "Wait for its end, or cancel it first.",
    "paused": "Resume it, or cancel it first.",
}
"""What to do about a file's job, by its state; in any other state it has ended without loading
it."""
_MOST_SUBMITTED = 20
"""Most files of one sender and catalogue that wait for their jobs at the same time."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file.

    Attributes:
        id: Its key.
        name: The name that the sender gave it.
        kind: What it holds.
        content: Its bytes, as they came.
        taken: Whether a job is to load it, or has just been asked to.
        job: That job, once it is stored.
        state: The state of that job.
    """

    id: uuid.UUID
    name: str
    kind: UploadKind
    content: bytes
    taken: bool
    job: str | None
    state: str | None = None


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
        connection: A connection in a transaction.
        name: The name that the sender gave it; only its last part is kept.
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
        NotThereError: There is none, or none any more.
    """
    row = None
    if (known := uuid_of(key)) is not None:
        just = UploadRow.created_at > func.now() - text(f"interval '{_STORING}'")
        statement = select(
            UploadRow.id,
            UploadRow.name,
            UploadRow.kind,
            UploadRow.content,
            and_(UploadRow.submitted, just).label("just_submitted"),
        ).where(UploadRow.id == known, UploadRow.domain_id == domain_id)
        row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotThereError("upload", "The file is no longer there.", "Send it again.")
    last = (
        select(JobRow.id, JobRow.state)
        .where(
            JobRow.domain_id == domain_id,
            JobRow.kind == "import",
            JobRow.arguments["upload"].astext == str(row.id),
        )
        .order_by(JobRow.created_at.desc())
        .limit(1)
    )
    job = (await connection.execute(last)).one_or_none()
    # One that is done has loaded it, and one that was cancelled never will.
    taken = row.just_submitted if job is None else job.state not in {"done", "cancelled"}
    by, state = (job.id, job.state) if job is not None and taken else (None, None)
    return Upload(row.id, row.name, cast("UploadKind", row.kind), row.content, taken, by, state)


async def hold_free_upload(connection: AsyncConnection, domain_id: int, key: str) -> Upload:
    """Return a file that no job is to load, and hold it: nobody else can submit or delete it.

    Args:
        connection: A connection in a transaction; the file is held until its end.

    Raises:
        NotThereError: There is none, or none any more.
        InputError: A job is to load it.
    """
    if (known := uuid_of(key)) is not None:
        # By itself: what follows sees what the last holder has done.
        await connection.execute(
            select(UploadRow.id).where(UploadRow.id == known).with_for_update()
        )
    found = await find_upload(connection, domain_id, key)
    if found.taken:
        which = "A job" if found.job is None else f"The job {found.job}"
        remedy = _REMEDIES.get(found.state or "running", "Retry it, or cancel it first.")
        raise InputError("upload", f"{which} is to load the file.", remedy)
    return found


async def mark_submitted(connection: AsyncConnection, upload: uuid.UUID) -> None:
    """Keep a file for the job that is to load it.

    Args:
        connection: A connection in the transaction of `hold_free_upload`.

    Raises:
        InputError: Too many files of its sender wait already.
    """
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
        connection: A connection in a transaction.
    """
    if (known := uuid_of(key)) is not None:
        await connection.execute(
            delete(UploadRow).where(UploadRow.id == known, UploadRow.domain_id == domain_id)
        )


async def forget_old_uploads(connection: AsyncConnection) -> None:
    """Delete files that were not submitted within an hour, or not loaded within a day.

    Args:
        connection: A connection in a transaction.
    """
    old = [
        and_(UploadRow.submitted == submitted, UploadRow.created_at < func.now() - text(waits))
        for submitted, waits in (
            (False, f"interval '{_WAITS}'"),
            (True, f"interval '{_WAITS_FOR_JOB}'"),
        )
    ]
    await connection.execute(delete(UploadRow).where(or_(*old)))
