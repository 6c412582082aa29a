"""One async engine a process and event loop, over psycopg 3."""

from __future__ import annotations

import asyncio
import logging
import selectors
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson
import psycopg
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    ResourceClosedError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as OutOfTimeError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from ..errors import IN_THE_LOG, DatabaseError, GoneError, PoolerError, StatementError
from ..settings import Settings
from .connection_words import read_url, refusal_remedy, remedy_of
from .embedded_postgres.database import start_embedded
from .gone import gone_meanwhile
from .prepared import prepare_marked

_LOST = (
    OSError,
    OperationalError,
    InterfaceError,
    OutOfTimeError,
    DisconnectionError,
    PendingRollbackError,
    ResourceClosedError,
)
"""Errors of a connection that was lost, was never made, or did not come in time."""
_PASSES = ("08", "53", "57P", "40", "25006", "55P03")
"""Beginnings of SQLSTATEs that pass: no connection, no room (a full disk, too many clients), a
server that stops or starts, a conflict between transactions, a read-only server, a held lock."""
_PATIENCE = 60.0
"""Seconds to wait for a free connection: a burst of runs is no fault of the database."""
_log = logging.getLogger(__name__)
_NO_SECRETS = frozenset({"host", "port", "dbname", "user", "connect_timeout"})
# Cheap to make for each connection that is checked, unlike an epoll.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def database_url(settings: Settings) -> str:
    """Return the SQLAlchemy URL to use, starting the embedded server if none is set. Blocks.

    Raises:
        DatabaseError: The URL is not one of PostgreSQL, or the embedded server does not start.
    """
    if settings.database_url is None:
        # Its folder may hold any sign, which in a person's own URL would be in doubt.
        url = make_url(start_embedded(settings.home))
    else:
        url = read_url(settings.database_url.get_secret_value())
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def make_engine(url: str | URL, settings: Settings) -> AsyncEngine:
    """Make an engine. Opens no connection yet.

    Args:
        url: The URL from `database_url`, or of a host's engine.
    """
    engine = create_async_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=_PATIENCE,
        hide_parameters=True,  # what people chose is not for logs
        json_deserializer=orjson.loads,
        connect_args=_connect_args(settings),
    )
    event.listen(engine.sync_engine, "checkout", _replace_if_lost)
    prepare_marked(engine.sync_engine)
    if settings.database_url is None:
        home = settings.home
        restarting = _restarting(lambda: await_only(asyncio.to_thread(start_embedded, home)))
        event.listen(engine.sync_engine, "do_connect", restarting)
    return engine


def make_sync_engine(url: str, settings: Settings, *, pool_size: int) -> Engine:
    """Make an engine for a library that blocks. Opens no connection yet.

    Args:
        url: The URL from `database_url`.
        pool_size: Connections at most.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_PATIENCE,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=_connect_args(settings),
    )
    if settings.database_url is None:
        event.listen(engine, "do_connect", _restarting(partial(start_embedded, settings.home)))
    return engine


def _connect_args(settings: Settings) -> dict[str, Any]:
    # prepare_threshold: a pooler may not hold prepared statements; see `prepared.py`.
    # client_encoding: titles are in any script, whatever an address or the environment says.
    # The others give a link that went silent up after about a minute, idle or in use; an idle one
    # is then replaced when it is next checked out.
    return {
        "connect_timeout": max(2, round(settings.database_timeout)),
        "prepare_threshold": None,
        "client_encoding": "utf8",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }


def _restarting(start: Callable[[], str]) -> Callable[..., DBAPIConnection]:
    """Connect, and start the embedded server again if it was killed.

    Args:
        start: Starts it, and returns its URL.
    """

    def connect(
        dialect: Dialect, _: object, args: Sequence[Any], options: dict[str, Any]
    ) -> DBAPIConnection:
        try:
            return dialect.connect(*args, **options)
        except psycopg.OperationalError:
            try:
                url = start()
            except DatabaseError as error:
                raise psycopg.OperationalError(str(error)) from error
            return dialect.connect(*args, **options | make_url(url).query)

    return connect


def _replace_if_lost(connection: Any, *_: object) -> None:
    """Have a connection that the server has closed replaced, without the round trip of a ping."""
    try:
        socket = connection.driver_connection.fileno()
    except psycopg.Error as error:  # it knows already
        raise DisconnectionError from error
    with _Selector() as selector:
        selector.register(socket, selectors.EVENT_READ)
        if selector.select(0):  # an idle server sends nothing, unless it closes
            raise DisconnectionError


async def ping(engine: AsyncEngine, settings: Settings) -> None:
    """Make sure that the database answers in time.

    Args:
        engine: An engine from `make_engine`.

    Raises:
        DatabaseError: It does not answer, or refuses; says so without the password.
    """
    try:
        async with asyncio.timeout(settings.database_timeout), engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (TimeoutError, OSError, SQLAlchemyError) as error:
        raise unreachable(engine, error) from error


def unreachable(engine: AsyncEngine, error: BaseException) -> DatabaseError | GoneError:
    """Describe a failed connection or a refused statement, without the password.

    A row that refers to what was deleted meanwhile is no fault. A statement that the database does
    not take for another reason is ours, not its own.
    """
    if (gone := gone_meanwhile(error)) is not None:
        return gone
    reason = str(error.orig if isinstance(error, DBAPIError) else error) or type(error).__name__
    url = engine.url
    first_line = _without_secrets(reason.strip().splitlines()[0], url)
    query = {name: url.query[name] for name in ("host", "port") if name in url.query}
    shown = URL.create("postgresql", None, None, url.host, url.port, url.database, query)
    refused = refusal_remedy(getattr(getattr(error, "orig", None), "sqlstate", None), reason)
    if refused is not None:
        return DatabaseError(
            "RE2LLM_DATABASE_URL", f"{shown} refused a statement ({first_line}).", refused
        )
    if not _is_lost(error):
        _log.error("a statement failed", exc_info=error)
        problem = f"An unexpected {type(error).__name__} ended the work."
        return StatementError("re2llm", problem, IN_THE_LOG)
    return DatabaseError(
        "RE2LLM_DATABASE_URL",
        f"No answer from {shown} ({first_line}).",
        remedy_of(first_line),
    )


def is_outage(error: BaseException) -> bool:
    """Return whether an error of the database passes once that is in order, however often it came.

    A missing file or right, a bug, and a statement that took too long are none.
    """
    if isinstance(error, DatabaseError):
        cause = error.__cause__
        if isinstance(cause, (SQLAlchemyError, OSError)):
            return is_outage(cause)
        return not isinstance(error, (PoolerError, StatementError))
    if isinstance(error, OSError):
        return isinstance(error, (ConnectionError, TimeoutError))
    if not isinstance(error, DBAPIError):
        return isinstance(error, (OutOfTimeError, DisconnectionError))
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate.startswith(_PASSES)
    return error.connection_invalidated or error.statement is None


def _is_lost(error: BaseException) -> bool:
    """Whether an error is about the connection or the server, and not about what was sent."""
    return isinstance(error, _LOST) or (
        isinstance(error, DBAPIError) and (error.connection_invalidated or error.statement is None)
    )


def _without_secrets(reason: str, url: URL) -> str:
    """Hide what may be a password, in a place of its own or in that of another option."""
    hidden = [] if url.password is None else [str(url.password)]
    # An `&` in a password makes an option of its rest.
    names_too = any(name.lower().endswith("password") for name in url.query)
    for name, value in url.query.items():
        if name not in _NO_SECRETS:
            hidden += [value] if isinstance(value, str) else value
            hidden += [name] if names_too else []
    for secret in filter(None, hidden):
        reason = reason.replace(f'"{secret}"', '"…"')
    return reason
