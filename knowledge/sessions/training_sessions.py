"""The training sessions of a domain: what popularity, evidence and baselines may know."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import LargeBinary, and_, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...records import Session
from ..catalogue import fetch_items, refresh_popularity
from ..domain_locks import hold_row
from ..domains import Domain, mark_changed
from ..schema.tables import DomainRow, SessionRow
from .sources import FILE, LOCAL

LONGEST_LIST = 1_000
"""Most items of a session's history, and most candidates of a pick, that are kept."""
_BATCH = 1000
_REPEAT_BYTES = 4
_LAST_REPEAT = b"\xff" * _REPEAT_BYTES
# Written once: it is asked for every trial of a hint.
_ONE = select(SessionRow.history, SessionRow.target, SessionRow.candidates).where(
    SessionRow.domain_id == bindparam("domain"), SessionRow.id == bindparam("key")
)


def picked_session(history: Sequence[str], candidates: Sequence[str], picked: str) -> Session:
    """Return the training session that a pick from a recommendation shows.

    An item that was not among the candidates is ranked among some that are retrieved, as is one
    that was among thousands.
    """
    listed = picked in candidates and len(candidates) <= LONGEST_LIST
    past = tuple(history[-LONGEST_LIST:])
    return Session(past, picked, tuple(candidates) if listed else None)


async def store_sessions(
    connection: AsyncConnection,
    domain: Domain,
    sessions: Iterable[Session],
    *,
    complete: Callable[[Session], Session] = lambda session: session,
    source: str = FILE,
) -> int:
    """Add the sessions that are not stored yet.

    A file loaded twice adds nothing; a session that occurs twice *within* a file counts twice. Of a
    longer history the newest `LONGEST_LIST` items are kept: it is read into memory to serve.

    Args:
        connection: A connection in a transaction.
        sessions: All with a target, as one file holds them; read in a thread, a batch at a time.
        complete: Gives a session the candidates that it lacks. The session is known by what it
            was before, so that a grown catalogue does not make it a new one.
        source: Their source: `file`, `local`, or the id of an API key.

    Returns:
        How many were new, or came from another source and are now known from a file.
    """
    before = await count_sessions(connection, domain, source)
    rows = _rows(domain, sessions, complete)
    statement = insert(SessionRow).on_conflict_do_nothing()
    if source == FILE:  # a file is trusted, and a key's sessions may be dropped
        statement = insert(SessionRow).on_conflict_do_update(
            index_elements=["domain_id", "key"],
            set_={"source": FILE},
            where=SessionRow.source != FILE,
        )
    while batch := await asyncio.to_thread(lambda: list(islice(rows, _BATCH))):
        await connection.execute(statement, [{**row, "source": source} for row in batch])
    return await count_sessions(connection, domain, source) - before


def _rows(
    domain: Domain, sessions: Iterable[Session], complete: Callable[[Session], Session]
) -> Iterator[dict[str, object]]:
    repeats: Counter[bytes] = Counter()
    for session in sessions:
        digest = _digest(session)
        repeats[digest] += 1
        candidates = complete(session).candidates
        yield {
            "domain_id": domain.id,
            "key": digest + repeats[digest].to_bytes(_REPEAT_BYTES, "big"),
            "history": list(session.history[-LONGEST_LIST:]),
            "target": session.target,
            "candidates": list(candidates) if candidates else None,
        }


def _digest(session: Session) -> bytes:
    content = json.dumps([session.history, session.target, session.candidates])
    return hashlib.sha256(content.encode()).digest()


async def _stored(
    connection: AsyncConnection, domain: Domain, digests: Collection[bytes]
) -> defaultdict[bytes, list[int]]:
    """Return the keys of the stored sessions of some digests, the newest first."""
    found: defaultdict[bytes, list[int]] = defaultdict(list)
    given = func.unnest(cast(list(digests), ARRAY(LargeBinary)))
    wanted = given.table_valued(column("digest", LargeBinary)).render_derived(name="wanted")
    same = and_(
        SessionRow.domain_id == domain.id,
        SessionRow.key > wanted.c.digest,
        SessionRow.key <= wanted.c.digest.concat(_LAST_REPEAT),
    )
    rows = select(SessionRow.id, wanted.c.digest).join_from(wanted, SessionRow, same)
    for key, digest in await connection.execute(rows.order_by(SessionRow.id.desc())):
        found[digest].append(key)
    return found


async def stored_keys(
    connection: AsyncConnection, domain: Domain, sessions: Iterable[Session]
) -> set[int]:
    """Return the keys of those sessions that are stored."""
    found = await _stored(connection, domain, {_digest(session) for session in sessions})
    return {key for keys in found.values() for key in keys}


async def first_keys(
    connection: AsyncConnection, domain: Domain, sessions: Sequence[Session]
) -> list[int | None]:
    """Return the oldest key of each session, `None` for one that is not stored."""
    digests = [_digest(session) for session in sessions]
    found = await _stored(connection, domain, set(digests))
    return [min(found[digest], default=None) for digest in digests]


async def keys_of_sessions(
    connection: AsyncConnection, domain: Domain, sessions: Sequence[Session]
) -> list[int]:
    """Return the key of each of some sessions, which are all stored, in their order.

    One that is there several times takes as many keys, as far as it is stored that often.
    """
    digests = [_digest(session) for session in sessions]
    known = await _stored(connection, domain, set(digests))
    stored = [known[digest] for digest in digests]
    return [keys.pop() if len(keys) > 1 else keys[0] for keys in stored]


async def fewest_candidates(connection: AsyncConnection, domain_id: int) -> int | None:
    """Return the length of the shortest list of candidates that came with a session, if any did."""
    fewest = func.min(func.cardinality(SessionRow.candidates))
    return await connection.scalar(select(fewest).where(SessionRow.domain_id == domain_id))


async def session_keys(connection: AsyncConnection, domain_id: int) -> list[int]:
    """Return the keys of the training sessions to learn from, in the order they were loaded.

    They are all, or the recent ones where the order tells time.
    """
    statement = (
        select(SessionRow.id)
        .join(DomainRow, DomainRow.id == SessionRow.domain_id)
        .where(SessionRow.domain_id == domain_id)
        .where(SessionRow.id >= func.coalesce(DomainRow.recent_from, 0))
        .order_by(SessionRow.id)
    )
    return list(await connection.scalars(statement))


async def newest_sessions(
    connection: AsyncConnection, domain_id: int, count: int, share: float
) -> list[int]:
    """Return the keys of the newest training sessions, oldest first.

    Args:
        count: The highest number to return.
        share: The largest part of them that may come with one API key; at least one may.
    """
    of_key = func.row_number().over(partition_by=SessionRow.source, order_by=SessionRow.id.desc())
    ranked = (
        select(SessionRow.id, SessionRow.source, of_key.label("place"))
        .where(SessionRow.domain_id == domain_id)
        .subquery()
    )
    trusted = ranked.c.source.in_([FILE, LOCAL])
    newest = await connection.scalars(
        select(ranked.c.id)
        .where(trusted | (ranked.c.place <= max(1, int(share * count))))
        .order_by(ranked.c.id.desc())
        .limit(count)
    )
    return sorted(newest)


async def fetch_session(connection: AsyncConnection, domain_id: int, key: int) -> Session:
    """Return one training session.

    Raises:
        InputError: There is no such session in the domain.
    """
    row = (await connection.execute(_ONE, {"domain": domain_id, "key": key})).one_or_none()
    if row is None:
        raise InputError("session", f"There is no session {key} in this domain.", "Leave it out.")
    return Session(tuple(row.history), row.target, _maybe_tuple(row.candidates))


async def count_sessions(
    connection: AsyncConnection, domain: Domain, source: str | None = None
) -> int:
    """Return how many training sessions a domain has, of one source or of all."""
    statement = select(func.count()).where(SessionRow.domain_id == domain.id)
    if source is not None:
        statement = statement.where(SessionRow.source == source)
    return await connection.scalar(statement) or 0


async def training_sessions(
    connection: AsyncConnection, domain: Domain
) -> list[tuple[int, Session]]:
    """Return all training sessions with their keys, in the order they were loaded."""
    rows = await connection.execute(
        select(SessionRow.id, SessionRow.history, SessionRow.target, SessionRow.candidates)
        .where(SessionRow.domain_id == domain.id)
        .order_by(SessionRow.id)
    )
    return [
        (row.id, Session(tuple(row.history), row.target, _maybe_tuple(row.candidates)))
        for row in rows
    ]


def _maybe_tuple(ids: list[str] | None) -> tuple[str, ...] | None:
    return None if ids is None else tuple(ids)


async def observe_session(
    connection: AsyncConnection, domain: Domain, session: Session, *, source: str
) -> int:
    """Make an observed session a training session, unless it is one already.

    Args:
        connection: A connection in a transaction.
        source: `local`, or the id of the API key that it came with.

    Returns:
        The session's key.

    Raises:
        InputError: It names an item that the catalogue does not know.
    """
    named = {
        "history": session.history,
        "target": [session.target or ""],
        "candidates": session.candidates or (),
    }
    ids = {id_ for listed in named.values() for id_ in listed}
    there = await fetch_items(connection, domain, list(ids))
    for field, listed in named.items():
        unknown = [id_ for id_ in listed if id_ not in there]
        if unknown:
            problem = f"Domain {domain.name!r} has no item {unknown[0][:40]!r}."
            raise InputError(field, problem, "Send ids of loaded items.")
    if known := await stored_keys(connection, domain, [session]):
        return min(known)
    await hold_row(connection, domain.id)  # first: its writers queue on the domain's row
    if await store_sessions(connection, domain, [session], source=source):
        await mark_changed(connection, domain)
        await refresh_popularity(connection, domain)
    return min(await stored_keys(connection, domain, [session]))
