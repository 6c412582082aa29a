"""What the database server is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from .schema.tables import SCHEMA

_LEAST_VECTOR = (0, 8, 4)
"""Earlier versions may corrupt an index when it is vacuumed."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The server, what is in it, and what this role may do there.

    Attributes:
        server: PostgreSQL's version, such as `18.4`.
        vector: pgvector's version.
        revision: Our schema's revision.
        writable: Whether this role may store recommendations.
    """

    server: str
    vector: str
    revision: str
    writable: bool

    @property
    def vector_is_old(self) -> bool:
        """Whether pgvector is older than what re2llm asks for."""
        parts = [int(part) for part in self.vector.split(".") if part.isdecimal()]
        return tuple(parts) < _LEAST_VECTOR


async def inspect_database(connection: AsyncConnection) -> DatabaseState:
    """Return what a migrated database is."""
    # The schema's name is a constant of ours.
    revision = f"SELECT version_num FROM {SCHEMA}.alembic_version"  # noqa: S608  # nosec B608
    vector = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    server = await connection.scalar(text("SHOW server_version"))
    found = [await connection.scalar(text(query)) for query in (vector, revision)]
    writable = await connection.scalar(
        text(
            "SELECT NOT current_setting('transaction_read_only')::bool"
            " AND has_table_privilege(:table, 'INSERT')"
        ),
        {"table": f"{SCHEMA}.recommendation"},
    )
    version, *_ = str(server).split(" ", maxsplit=1)
    return DatabaseState(version, *map(str, found), writable=bool(writable))
