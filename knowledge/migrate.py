"""Brings the schema up to date, one process at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text

from .tables import SCHEMA, Base

_LOCK = 0x7265326C6C6D  # "re2llm": any number will do that no other program takes
_SCRIPTS = Path(__file__).parent.parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate upwards. Blocks; safe to call from many processes at once.

    Args:
        url: From `database_url`.
        revision: Alembic revision to reach.
    """
    _migrate(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str = "base") -> None:
    """Migrate downwards, dropping what the later revisions made. Blocks.

    Args:
        url: From `database_url`.
        revision: Alembic revision to reach; `base` leaves nothing of ours.
    """

    def run(config: Config) -> None:
        command.downgrade(config, revision)
        if revision == "base":
            connection: Connection = config.attributes["connection"]
            connection.execute(text(f"DROP TABLE IF EXISTS {SCHEMA}.alembic_version"))
            connection.execute(text(f"DROP SCHEMA {SCHEMA}"))

    _migrate(url, run)


def alembic_config(connection: Connection) -> Config:
    """Return the configuration that binds our scripts to an open connection.

    Args:
        connection: Where the migrations run.
    """
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    # Alembic loads env.py by its path, so it can import nothing of ours: it gets it here.
    config.attributes.update(connection=connection, metadata=Base.metadata, schema=SCHEMA)
    return config


def _migrate(url: str, run: Callable[[Config], None]) -> None:
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            # A session lock, because it must outlive each migration's own transaction.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
            try:
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
                connection.commit()
                run(alembic_config(connection))
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                connection.commit()
    finally:
        engine.dispose()
