"""What the database server is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from .tables import SCHEMA

_LEAST_VECTOR = (0, 8, 4)
"""Earlier versions may corrupt an index when it is vacuumed."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """Versions of the server and of what is in it.

    Attributes:
        server: PostgreSQL's version, such as `18.4`.
        vector: pgvector's version.
        revision: Of our schema.
    """

    server: str
    vector: str
    revision: str

    @property
    def vector_is_old(self) -> bool:
        """Whether pgvector is older than what re2llm asks for."""
        parts = [int(part) for part in self.vector.split(".") if part.isdecimal()]
        return tuple(parts) < _LEAST_VECTOR


async def inspect_database(connection: AsyncConnection) -> DatabaseState:
    """Return the versions of a migrated database."""
    # The schema's name is a constant of ours.
    revision = f"SELECT version_num FROM {SCHEMA}.alembic_version"  # noqa: S608  # nosec B608
    vector = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    server = await connection.scalar(text("SHOW server_version"))
    found = [await connection.scalar(text(query)) for query in (vector, revision)]
    return DatabaseState(str(server).split(" ", maxsplit=1)[0], *map(str, found))
