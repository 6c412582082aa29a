"""What every request runs is planned once for each connection, but never behind a pooler."""

from pathlib import Path

import pytest
from re2llm.errors import InputError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.engine import make_engine
from re2llm.knowledge.migrate import migrate
from re2llm.settings import Settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from transaction_pooler import pooled

KEPT = text("SELECT statement FROM pg_prepared_statements")


async def kept_statements(engine: AsyncEngine) -> list[str]:
    """What a connection keeps after a marked statement, and another one, twice each."""
    async with engine.connect() as connection:
        for _ in range(2):
            with pytest.raises(InputError, match="Nothing is loaded"):
                await find_domain(connection, "films")
        return [*await connection.scalars(KEPT), *await connection.scalars(KEPT)]


async def test_marked_statements_alone_are_prepared(fresh: str, settings: Settings) -> None:
    engine = make_engine(fresh, settings)
    await migrate(engine)
    kept = await kept_statements(engine)
    assert len(kept) == 2  # one, asked for twice
    assert all("WHERE re2llm.domain.name = $" in statement for statement in kept)
    await engine.dispose()


async def test_nothing_is_prepared_behind_a_pooler(
    fresh: str, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("p")
    with pooled(fresh, folder) as pooler:
        engine = make_engine(pooler.url.render_as_string(), settings)
        await migrate(engine)
        assert await kept_statements(engine) == []
        await engine.dispose()
