"""Brings the schema up to date, in one transaction and one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import errors
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from ..errors import DatabaseError
from . import idempotent_answers
from .schema import autopilot as autopilot_tables
from .schema import decisions as decision_tables
from .schema import fusions as fusion_tables
from .schema import jobs as job_tables
from .schema import keys as key_tables
from .schema import log as log_tables
from .schema import reflections as reflection_tables
from .schema import rollouts as rollout_tables
from .schema import summaries as summary_tables
from .schema import uploads as upload_tables
from .schema.tables import SCHEMA, Base
from .server_requirements import (
    FIELD,
    explained,
    require_recent,
    require_recent_vector,
    require_unicode,
    require_visible_vector,
)

if TYPE_CHECKING:  # loading it takes a third of a second, and nearly always there is nothing to do
    from alembic.script import ScriptDirectory

_MODULES = (
    autopilot_tables,
    decision_tables,
    fusion_tables,
    idempotent_answers,
    job_tables,
    key_tables,
    log_tables,
    reflection_tables,
    rollout_tables,
    summary_tables,
    upload_tables,
)
"""Importing them adds their tables to those of `Base`."""

_LOCK = 0x7265326C6C6D  # "re2llm": any number will do that no other program takes
_SCRIPTS = Path(__file__).parent.parent / "migrations"


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema up to date on a connection of the engine.

    If it is up to date, this is one query: nothing is locked, and no right is needed but to read.

    Args:
        engine: Any over psycopg 3.

    Raises:
        DatabaseError: The server or the role does not allow it; says what an administrator can do.
    """
    revisions = await asyncio.to_thread(known_revisions)
    async with engine.connect() as connection:
        if await connection.run_sync(_is_current, revisions):
            return
        scripts = await asyncio.to_thread(_scripts)
        await connection.run_sync(_upgrade, scripts, "head")


async def is_current(engine: AsyncEngine) -> bool:
    """Return whether the schema is the one of this version.

    Raises:
        DatabaseError: A newer version has migrated it.
    """
    revisions = await asyncio.to_thread(known_revisions)
    async with engine.connect() as connection:
        return await connection.run_sync(_is_current, revisions)


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate upwards. Blocks; safe to call from many processes at once.

    Args:
        url: The URL from `database_url`.

    Raises:
        DatabaseError: As from `migrate`.
    """
    with _connection(url) as connection:
        if not _is_current(connection, known_revisions()):
            _upgrade(connection, _scripts(), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Migrate downwards, dropping what the later revisions made. Blocks.

    Args:
        url: The URL from `database_url`.
        revision: Alembic revision to reach; `base` leaves nothing of ours.
    """
    scripts = _scripts()
    with _connection(url) as connection, connection.begin():
        _lock(connection)
        _run(connection, scripts, lambda now, _: scripts._downgrade_revs(revision, now))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if revision == "base":
            connection.execute(text(f"DROP TABLE IF EXISTS {SCHEMA}.alembic_version"))
            connection.execute(text(f"DROP SCHEMA {SCHEMA}"))


@lru_cache(maxsize=1)
def known_revisions() -> Sequence[str]:
    """Return the revisions of all migrations, oldest first: they are the files' names."""
    return sorted(path.stem[1:].partition("_")[0] for path in _SCRIPTS.glob("versions/v*.py"))


@lru_cache(maxsize=1)
def _scripts() -> ScriptDirectory:
    """Load all migrations, which reads files: an event loop must not."""
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    list(scripts.walk_revisions())
    return scripts


@contextmanager
def _connection(url: str) -> Generator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _upgrade(connection: Connection, scripts: ScriptDirectory, revision: str) -> None:
    try:
        with connection.begin():
            require_recent(connection)
            _lock(connection)
            if _is_empty(connection):
                require_unicode(connection)
            # `IF NOT EXISTS` would ask for the right to create one even where it is there.
            if connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}') IS NULL")):
                connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
            require_visible_vector(connection)
            require_recent_vector(connection)
            _run(connection, scripts, lambda now, _: scripts._upgrade_revs(revision, now))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    except DBAPIError as error:
        raise explained(connection, error) from error


def _is_empty(connection: Connection) -> bool:
    """Return whether nothing was migrated yet; an administrator may have made the schema."""
    table = f"{SCHEMA}.alembic_version"  # a constant of ours
    if connection.scalar(text(f"SELECT to_regclass('{table}') IS NULL")):
        return True
    query = f"SELECT EXISTS (SELECT FROM {table})"  # noqa: S608  # nosec B608
    return not connection.scalar(text(query))


def _is_current(connection: Connection, revisions: Sequence[str]) -> bool:
    try:
        return _has_newest(connection, revisions)
    except DBAPIError as error:
        raise explained(connection, error) from error


def _has_newest(connection: Connection, revisions: Sequence[str]) -> bool:
    # The schema's name is a constant of ours.
    table = f"{SCHEMA}.alembic_version"
    query = f"SELECT version_num, to_regtype('vector') FROM {table}"  # noqa: S608  # nosec B608
    try:
        found, vector = connection.execute(text(query)).one_or_none() or (None, None)
        if found and vector is None:
            require_visible_vector(connection)
    except DBAPIError as error:
        if not isinstance(error.orig, (errors.UndefinedTable, errors.InvalidSchemaName)):
            raise
        return False
    finally:
        connection.rollback()
    if found is not None and found not in revisions:
        raise DatabaseError(
            FIELD,
            f"Its schema {SCHEMA} is at revision {found}, which this version does not know.",
            "A newer re2llm has migrated it: install that version here too.",
        )
    return found == revisions[-1]


def _lock(connection: Connection) -> None:
    # Of the transaction, since behind a pooler a session's lock may never be released.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _run(
    connection: Connection, scripts: ScriptDirectory, steps: Callable[[Any, Any], Any]
) -> None:
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(
            connection=connection, target_metadata=Base.metadata, version_table_schema=SCHEMA
        )
        environment.run_migrations()
