"""Sessions of the console: who has signed in with which API key, and until when."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.keys import ConsoleSessionRow
from .keys import ApiKey, find_key

SESSION_LIFE = dt.timedelta(hours=12)
"""How long a session lasts from sign-in; a browser that stays open does not prolong it."""
_TOKEN_BYTES = 32


async def open_session(connection: AsyncConnection, key_id: str) -> str:
    """Open a session; those that have expired are removed on the way.

    Args:
        connection: A connection in a transaction.
        key_id: The id of a key that was checked. The session ends when the key is revoked.

    Returns:
        The session's token, which is stored as a hash alone.
    """
    await connection.execute(
        delete(ConsoleSessionRow).where(ConsoleSessionRow.expires_at < func.now())
    )
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    row = {"token_hash": _hash(token), "key_id": key_id, "expires_at": func.now() + SESSION_LIFE}
    await connection.execute(insert(ConsoleSessionRow).values(row))
    return token


async def session_key(connection: AsyncConnection, token: str) -> ApiKey | None:
    """Return the key that a session was opened with, while both are valid."""
    key_id = await connection.scalar(
        select(ConsoleSessionRow.key_id).where(
            ConsoleSessionRow.token_hash == _hash(token),
            ConsoleSessionRow.expires_at > func.now(),
        )
    )
    key = None if key_id is None else await find_key(connection, key_id)
    return None if key is None or key.revoked_at is not None else key


async def close_session(connection: AsyncConnection, token: str) -> None:
    """Sign out; repeating it changes nothing.

    Args:
        connection: A connection in a transaction.
    """
    await connection.execute(
        delete(ConsoleSessionRow).where(ConsoleSessionRow.token_hash == _hash(token))
    )


def _hash(token: str) -> bytes:
    # 256 random bits cannot be guessed, so the hash need not be slow.
    return hashlib.sha256(token.encode()).digest()
