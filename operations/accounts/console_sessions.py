"""Signs people in to the console and out of it."""

from __future__ import annotations

from ...knowledge.access import console_sessions as stored
from ...runtime.caller import Caller
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..database import connected

SESSION_SECONDS = round(stored.SESSION_LIFE.total_seconds())


async def sign_in(context: Context, caller: Caller) -> str:
    """Open a session.

    Args:
        caller: The holder of a key that was checked.

    Returns:
        The session's token.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options, write=True) as connection:
        return await stored.open_session(connection, caller.key_id)


async def signed_in(context: Context, token: str) -> Caller | None:
    """Return who has opened a session; `None` if it has ended or its key was revoked.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options) as connection:
        found = await stored.session_key(connection, token)
    return found and Caller.of(found)


async def sign_out(context: Context, token: str) -> None:
    """End a session, if there is one of this token.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options, write=True) as connection:
        await stored.close_session(connection, token)
