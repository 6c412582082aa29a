"""What every request runs is planned once for each connection, but never behind a pooler."""

from pathlib import Path

import pytest
from re2llm.errors import InputError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.engine import make_engine
from re2llm.knowledge.migrate import migrate
from re2llm.operations.database import in_domain
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import open_services
from re2llm.runtime.sharing import ServiceSet
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


async def test_reads_of_operations_leave_what_is_prepared(
    url: str, settings: Settings, films: str
) -> None:
    single = settings.model_copy(update={"pool_size": 1})  # one connection for all
    engine = make_engine(url, single)
    services = await open_services(single, engine=engine)
    options = await resolve_context(Context(services=ServiceSet.of(services)))
    found: list[list[str]] = []
    for _ in range(2):
        async with in_domain(options, films) as (connection, _found):
            found.append([*await connection.scalars(KEPT)])
        async with services.autocommit.connect() as connection:
            found.append([*await connection.scalars(KEPT)])
    assert [len(kept) for kept in found] == [1] * 4
    await services.close()
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
