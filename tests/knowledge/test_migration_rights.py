"""Migrations where the role, the server or the host's engine allows less than usual."""

import asyncio
import json
import logging
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import psycopg
import pytest
from pydantic import SecretStr
from re2llm.cli import app
from re2llm.errors import DatabaseError
from re2llm.graph.recommend import graph
from re2llm.interfaces.host import Re2llm
from re2llm.jobs.queue.control import cancel_job
from re2llm.jobs.queue.dbos_client import queue_client
from re2llm.jobs.queue.submit import submit
from re2llm.knowledge.engine import database_url, make_engine, ping
from re2llm.knowledge.migrate import downgrade, migrate, upgrade
from re2llm.knowledge.server_requirements import grants
from re2llm.operations.doctor.database_checks import database_checks
from re2llm.operations.loading.load import load_domain
from re2llm.records import Item
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services, open_services
from re2llm.runtime.sharing import ServiceSet
from re2llm.settings import Settings
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from typer.testing import CliRunner

PASSWORDS = [
    "postgresql://odd:p@ssw0rd@127.0.0.1:9/app",
    "postgresql://odd:p%40ssw0rd@127.0.0.1:9/app",
    "postgresql:///app?host=127.0.0.1&port=9&user=app&password=ssw0rd",
    "postgresql:///app?host=127.0.0.1&port=9&user=app&PASSWORD=ssw0rd",
    "postgresql://127.0.0.1:9/app?user=app&sslpassword=ssw0rd",
    "postgresql://odd:ssw0rd#1@127.0.0.1:9/app",
    "postgresql://odd:a/ssw0rd@127.0.0.1:9/app",
    "postgresql://odd:a?ssw0rd@127.0.0.1:9/app",
    "postgresql://odd:a:ssw0rd@127.0.0.1:9/app",
    "postgresql://odd:%ssw0rd@127.0.0.1:9/app",
    "postgresql://odd:ssw0rd@127.0.0.1:port/app",
    "postgresql://odd:ssw0rd@127.0.0.1:9,127.0.0.1:8/app",
    "postgresql+asyncpg://odd:ssw0rd@127.0.0.1:9/app",
    "postgresql:///app?host=127.0.0.1&port=9&user=app&password=a&ssw0rd=1",
    "postgresql://127.0.0.1:9/app?user=app&sslmode=ssw0rd",
    "postgresql://127.0.0.1:9/app?user=app&target_session_attrs=ssw0rd",
    "postgresql://127.0.0.1:9/app?user=app&channel_binding=ssw0rd&sslmode=disable",
    "postgresql:///app?host=127.0.0.1&port=9&password=a&b=ssw0rd&user=app",
    "postgresql:///app?host=127.0.0.1&port=9&password=a&target_session_attrs=ssw0rd",
    "postgresql://odd:ssw0rd@127.0.0.1:9/app?password=ssw0rd2",
    "postgresql://odd:ssw0rd@[::1/app",
    "postgresql://odd:ssw0rd@127.0.0.1:99999/app",
    "postgresql://odd:[ssw0rd]@127.0.0.1:9/app",
    "postgresql://odd:ssw0rd\\@127.0.0.1:9/app",
    "postgresql:/odd:ssw0rd@127.0.0.1:9/app",
    "jdbc:postgresql://127.0.0.1:9/app?user=odd&password=ssw0rd",
    "user=odd;password=ssw0rd",
    "mysql://odd:ssw0rd@127.0.0.1:9/app",
    "odd:ssw0rd@127.0.0.1:9/app",
    "host=127.0.0.1 port=9 user=app password=ssw0rd dbname=app",
]


@pytest.fixture
def fresh(url: str) -> Iterator[URL]:
    """An empty database with a role of the same name that may only connect."""
    name = f"rights_{uuid.uuid4().hex[:12]}"
    server = make_url(url)
    with psycopg.connect(libpq(server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"CREATE ROLE {name} LOGIN")
        yield server.set(database=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE {name}")


def libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def as_role(url: URL) -> URL:
    return url.set(username=url.database)


def execute(url: URL, *statements: str) -> None:
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


async def migrated(url: URL, **options: object) -> None:
    engine = create_async_engine(url, **options)
    try:
        await migrate(engine)
        async with engine.connect() as connection:
            await connection.execute(text("SELECT count(*) FROM re2llm.item"))
    finally:
        await engine.dispose()


@pytest.mark.long
async def test_a_role_that_may_only_read_and_write_rows_can_serve(fresh: URL) -> None:
    upgrade(fresh.render_as_string(hide_password=False))
    with pytest.raises(DatabaseError, match=f"GRANT USAGE ON SCHEMA re2llm TO {fresh.database}"):
        await migrated(as_role(fresh))
    execute(
        fresh,
        f"GRANT USAGE ON SCHEMA re2llm TO {fresh.database}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA re2llm TO {fresh.database}",
    )
    await migrated(as_role(fresh))


@pytest.mark.long
@pytest.mark.parametrize("revision", ["0031", "0029"])
async def test_what_only_the_schemas_owner_can_do_is_said(fresh: URL, revision: str) -> None:
    upgrade(fresh.render_as_string(hide_password=False))
    execute(fresh, *grants("re2llm", str(fresh.database)).split("; "))
    downgrade(fresh.render_as_string(), revision)
    with pytest.raises(DatabaseError, match="owner run this version once"):
        await migrated(as_role(fresh))
    upgrade(fresh.render_as_string(hide_password=False))
    execute(fresh, *grants("re2llm", str(fresh.database)).split("; "))
    await migrated(as_role(fresh))


@pytest.mark.long
async def test_what_an_administrator_must_grant_is_said_and_is_enough(fresh: URL) -> None:
    with pytest.raises(DatabaseError, match=r"administrator run: CREATE EXTENSION.*GRANT CREATE"):
        await migrated(as_role(fresh))
    execute(fresh, f"GRANT CREATE ON DATABASE {fresh.database} TO {fresh.database}")
    execute(fresh, "CREATE EXTENSION vector")
    await migrated(as_role(fresh))
    downgrade(fresh.render_as_string())


@pytest.mark.long
async def test_a_role_needs_no_right_on_the_database_where_the_schema_is_its_own(
    fresh: URL,
) -> None:
    execute(fresh, f"CREATE SCHEMA re2llm AUTHORIZATION {fresh.database}")
    execute(fresh, "CREATE EXTENSION vector")
    await migrated(as_role(fresh))
    downgrade(fresh.render_as_string())


@pytest.mark.long
async def test_a_migration_that_fails_leaves_nothing(fresh: URL) -> None:
    execute(fresh, f"GRANT CREATE ON DATABASE {fresh.database} TO {fresh.database}")
    execute(fresh, "CREATE SCHEMA hidden", "CREATE EXTENSION vector SCHEMA hidden")
    with pytest.raises(DatabaseError, match=r"SET search_path = .*hidden") as raised:
        await migrated(as_role(fresh))
    with psycopg.connect(libpq(fresh)) as connection:
        assert connection.execute("SELECT to_regnamespace('re2llm')").fetchone() == (None,)
    execute(
        fresh, raised.value.remedy.removeprefix("Run: "), "GRANT USAGE ON SCHEMA hidden TO public"
    )
    await migrated(as_role(fresh))


@pytest.mark.long
@pytest.mark.parametrize(
    ("statement", "remedy"),
    [
        ("ALTER DATABASE {0} SET search_path = app", "Run: ALTER DATABASE {0} SET search_path ="),
        ("ALTER ROLE {0} SET search_path = app", "Run: ALTER ROLE {0} SET search_path ="),
        (
            "ALTER ROLE {0} IN DATABASE {0} SET search_path = app",
            "Run: ALTER ROLE {0} IN DATABASE {0} SET search_path =",
        ),
    ],
)
async def test_the_search_path_is_set_where_no_other_setting_outranks_it(
    fresh: URL, statement: str, remedy: str
) -> None:
    name = str(fresh.database)
    execute(fresh, f"GRANT CREATE ON DATABASE {name} TO {name}", "CREATE SCHEMA app")
    execute(fresh, "CREATE EXTENSION vector SCHEMA public", statement.format(name))
    with pytest.raises(DatabaseError, match="pgvector is in schema public") as raised:
        await migrated(as_role(fresh))
    assert raised.value.remedy == f"{remedy.format(name)} app, public;"
    execute(fresh, raised.value.remedy.removeprefix("Run: "))
    await migrated(as_role(fresh))


async def test_the_search_path_is_that_of_the_role_that_logs_in(fresh: URL) -> None:
    name = str(fresh.database)
    owner = f"{name}_owner"
    execute(fresh, f"CREATE ROLE {owner}", f"GRANT {owner} TO {name}")
    execute(fresh, f"GRANT CREATE ON DATABASE {name} TO {owner}", "CREATE SCHEMA app")
    execute(fresh, "CREATE EXTENSION vector SCHEMA public")
    execute(fresh, f"ALTER ROLE {name} SET search_path = app")
    try:
        with pytest.raises(DatabaseError, match="pgvector is in schema public") as raised:
            await migrated(as_role(fresh), connect_args={"options": f"-c role={owner}"})
    finally:
        execute(fresh, f"DROP OWNED BY {owner}", f"DROP ROLE {owner}")
    assert raised.value.remedy == f"Run: ALTER ROLE {name} SET search_path = app, public;"


async def test_a_search_path_of_the_connection_is_to_be_changed_there(fresh: URL) -> None:
    execute(fresh, "CREATE SCHEMA app", "CREATE EXTENSION vector SCHEMA public")
    options = {"options": "-c search_path=app"}
    with pytest.raises(DatabaseError, match="Add public to the search_path that the connection"):
        await migrated(fresh, connect_args=options)


@pytest.mark.parametrize("there", [False, True])
async def test_a_search_path_without_a_schema_is_told(fresh: URL, there: bool) -> None:
    name = str(fresh.database)
    if there:
        execute(fresh, "CREATE SCHEMA extensions")
    execute(fresh, f"ALTER DATABASE {name} SET search_path = nowhere")
    with pytest.raises(DatabaseError, match="No schema of the search path exists") as raised:
        await migrated(fresh)
    execute(fresh, *raised.value.remedy.partition("run: ")[2].rstrip(";").split("; "))
    await migrated(fresh)


@pytest.mark.parametrize(
    "before",
    [
        "SELECT 1",
        "CREATE SCHEMA re2llm",
        "CREATE SCHEMA re2llm; CREATE TABLE re2llm.alembic_version (version_num varchar(32))",
    ],
)
async def test_a_database_that_cannot_hold_every_text_is_refused(fresh: URL, before: str) -> None:
    name = f"{fresh.database}_latin"
    encoding = "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    execute(fresh, f"CREATE DATABASE {name} {encoding}")
    execute(fresh.set(database=name), before)
    try:
        with pytest.raises(DatabaseError, match=r"Its encoding is LATIN1\..*ENCODING 'UTF8'"):
            await migrated(fresh.set(database=name))
    finally:
        execute(fresh, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.long
async def test_a_read_only_server_serves_what_is_up_to_date(fresh: URL) -> None:
    options = {"options": "-c default_transaction_read_only=on"}
    with pytest.raises(DatabaseError, match="read-only"):
        await migrated(fresh, connect_args=options)
    await migrated(fresh)
    await migrated(fresh, connect_args=options)


@pytest.mark.long
async def test_nothing_is_locked_where_nothing_is_to_be_done(fresh: URL) -> None:
    upgrade(fresh.render_as_string())
    with psycopg.connect(libpq(fresh)) as other:
        other.execute("SELECT pg_advisory_lock(125822685310061)")
        other.execute("LOCK TABLE re2llm.item IN ROW EXCLUSIVE MODE")
        await migrated(fresh)


async def test_a_schema_of_a_newer_version_is_named(fresh: URL) -> None:
    upgrade(fresh.render_as_string())
    execute(fresh, "UPDATE re2llm.alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="9999"):
        await migrated(fresh)


async def test_no_lock_stays_on_a_pooled_connection(fresh: URL) -> None:
    """Behind a pooler, a session's lock would be left to whoever gets the connection next."""
    engine = create_async_engine(fresh, pool_size=1, max_overflow=0)
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    try:
        for _ in range(2):  # with something to do, and without
            await migrate(engine)
            async with engine.connect() as connection:
                assert await connection.scalar(text(held)) == 0
    finally:
        await engine.dispose()


@pytest.mark.parametrize("way", ["async_creator", "connect_args", "do_connect"])
async def test_migrations_run_on_the_connections_of_a_hosts_engine(fresh: URL, way: str) -> None:
    """However the host says where to connect; the engine's own URL leads nowhere."""
    nowhere = make_url("postgresql+psycopg://")
    where = {**fresh.query, "dbname": fresh.database, "user": fresh.username}

    async def connect() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(libpq(fresh))

    if way == "async_creator":
        engine = create_async_engine(nowhere, async_creator=connect)
    elif way == "connect_args":
        engine = create_async_engine(nowhere, connect_args=where)
    else:
        engine = create_async_engine(nowhere)
        event.listen(engine.sync_engine, "do_connect", lambda *given: given[3].update(where))
    try:
        await migrate(engine)
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM re2llm.item")) == 0
    finally:
        await engine.dispose()


@pytest.mark.parametrize("dsn", PASSWORDS)
async def test_no_part_of_a_password_is_told(
    dsn: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    changed = settings.model_copy(update={"database_url": SecretStr(dsn)})

    async def connect() -> None:
        await ping(make_engine(database_url(changed), changed), changed)

    with pytest.raises(DatabaseError) as raised:
        await connect()
    assert "ssw0rd" not in f"{raised.value} {raised.value!r} {raised.value.remedy} {caplog.text}"


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n", '"{}"', "'{}'\n"])
async def test_what_surrounds_a_url_is_left_out(url: str, settings: Settings, around: str) -> None:
    changed = settings.model_copy(update={"database_url": SecretStr(around.format(url))})
    engine = make_engine(database_url(changed), changed)
    try:
        await ping(engine, changed)
    finally:
        await engine.dispose()


# What commands and graphs say of it


ASKS = (
    "import asyncio, json; from re2llm.graph.recommend import graph; "
    "print(json.dumps(asyncio.run(graph.ainvoke({'history': ['a']}))['error']))"
)


def alone(*words: str) -> tuple[int, str, str]:
    """Run Python in a process of its own."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def graph_error() -> dict[str, object]:
    """Run the graph in an event loop of its own, whose services are new."""
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(lambda: asyncio.run(graph.ainvoke({"history": ["a"]})))
        return dict(asked.result()["error"])


LACKS: dict[str, tuple[str, str]] = {
    # What the database is told first: what the error says to do
    "no right": ("SELECT 1", "GRANT CREATE ON DATABASE"),
    "no pgvector": (
        "ALTER ROLE {name} SUPERUSER; ALTER DATABASE {name} SET extension_control_path = '/none'",
        "Install pgvector",
    ),
    "read-only": (
        "ALTER ROLE {name} SUPERUSER; ALTER DATABASE {name} SET default_transaction_read_only = on",
        "primary server",
    ),
    "tables without rights": (
        "CREATE SCHEMA re2llm; CREATE TABLE re2llm.alembic_version (version_num text)",
        "GRANT USAGE ON SCHEMA re2llm",
    ),
    "no connection": ("ALTER ROLE {name} NOLOGIN", "ALTER ROLE with LOGIN"),
    "no connections left": ("ALTER ROLE {name} CONNECTION LIMIT 0", "RE2LLM_POOL_SIZE"),
    "old pgvector": (
        (
            "ALTER ROLE {name} SUPERUSER; CREATE EXTENSION vector; "
            "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"
        ),
        "ALTER EXTENSION vector UPDATE",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(("before", "remedy"), LACKS.values(), ids=LACKS)
def test_a_graph_and_a_command_say_what_an_administrator_must_do(
    fresh: URL, before: str, remedy: str, adjust: Callable[..., None]
) -> None:
    execute(fresh, before.format(name=fresh.database))
    adjust(database_url=as_role(fresh).render_as_string(hide_password=False))
    if before == LACKS["no right"][0]:  # as programs do; each costs seconds
        error = json.loads(alone("-c", ASKS)[1])
        code, _, said = alone("-m", "re2llm", "recommend", "a")
    else:
        error = graph_error()
        done = CliRunner().invoke(app, ["recommend", "a"])
        code, said = done.exit_code, done.stderr
    assert error["kind"] == "database"
    assert remedy in f"{error['problem']} {error['remedy']}"
    (line,) = said.strip().splitlines()
    assert code == 1
    assert line.startswith("error: RE2LLM_DATABASE_URL: ")
    assert remedy in line
    with psycopg.connect(libpq(fresh)) as connection:
        left = connection.execute("SELECT to_regclass('re2llm.item')").fetchone()
    assert left == (None,)


async def load_few(url: URL) -> None:
    upgrade(url.render_as_string())
    owner = create_async_engine(url)
    services = await open_services(Settings(), engine=owner)
    films = [Item(id=str(n), title=f"Film {n}") for n in range(4)]
    await load_domain(services, "few", films, [])
    await services.close()
    await owner.dispose()


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "remedy"),
    [
        ("GRANT SELECT ON ALL TABLES IN SCHEMA re2llm TO {name}", "GRANT SELECT, INSERT"),
        (
            (
                "GRANT ALL ON ALL TABLES IN SCHEMA re2llm TO {name}; "
                "ALTER ROLE {name} SET default_transaction_read_only = on"
            ),
            "a role that may write",
        ),
    ],
    ids=["may only read", "read-only"],
)
async def test_who_may_not_write_gets_answers_and_is_told_how_to_write(
    fresh: URL, before: str, remedy: str, caplog: pytest.LogCaptureFixture
) -> None:
    await load_few(fresh)
    name = fresh.database
    execute(fresh, f"GRANT USAGE ON SCHEMA re2llm TO {name}", before.format(name=name))
    async with Re2llm(as_role(fresh).render_as_string(), domain="few") as host:
        made = await host.arecommend(["0"], k=2)
        assert made.flags == ["not_logged"]
        assert remedy in caplog.text
        with pytest.raises(DatabaseError, match=r"refused a statement.*" + remedy):
            await host.aadd_hint("Prefer the newest.")
    engine = create_async_engine(as_role(fresh))
    services = await open_services(Settings(), engine=engine)
    checks, _ = await database_checks(Context(domain="few", services=ServiceSet.of(services)))
    await services.close()
    await engine.dispose()
    assert "it can only be read" in checks[0].found


@pytest.mark.long
async def test_a_role_with_rights_on_our_schema_alone_recommends_and_logs(fresh: URL) -> None:
    await load_few(fresh)
    name = fresh.database
    execute(
        fresh,
        f"GRANT USAGE ON SCHEMA re2llm TO {name}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA re2llm TO {name}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA re2llm TO {name}",
        f"REVOKE ALL ON DATABASE {name} FROM public; GRANT CONNECT ON DATABASE {name} TO {name}",
    )
    async with Re2llm(as_role(fresh).render_as_string(), domain="few") as host:
        made = await host.arecommend(["0"], k=2)
        assert len(made.items) == 2
        assert made.recommendation_id
        await host.afeedback(made.recommendation_id, made.items[0].id)


@pytest.mark.long
async def test_a_role_is_told_what_it_lacks_for_jobs_and_that_is_enough(
    fresh: URL, adjust: Callable[..., None]
) -> None:
    await load_few(fresh)
    name = fresh.database
    owner = create_async_engine(fresh)
    async with services_on(owner) as services, queue_client(services):
        pass  # as `re2llm worker` does once
    execute(fresh, *grants("re2llm", str(name)).split("; "))
    before = (
        "SELECT 1",
        f"GRANT USAGE ON SCHEMA re2llm_jobs TO {name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA re2llm_jobs TO {name}",
    )
    role = create_async_engine(as_role(fresh))
    async with services_on(role) as services:
        context = Context(domain="few", services=ServiceSet.of(services))
        for granted in before:
            execute(fresh, granted)
            with pytest.raises(DatabaseError, match="GRANT USAGE ON SCHEMA re2llm_jobs") as raised:
                await submit(context, "tidy", {})
        adjust(database_url=as_role(fresh).render_as_string(hide_password=False))
        code, _, said = alone("-m", "re2llm", "worker")
        assert code == 1
        [line] = said.strip().splitlines()
        assert line.startswith("error: RE2LLM_DATABASE_URL: ")
        assert raised.value.remedy in line
        remedy = raised.value.remedy.removeprefix("Have their owner run: ")
        execute(fresh, *remedy.split("; "))
        made = await submit(context, "tidy", {})
        assert (await cancel_job(context, made.id)).job.state == "cancelled"
    # The migrations after this one make a table, which no grant on others allows.
    execute(fresh, "UPDATE re2llm_jobs.dbos_migrations SET version = 112")
    role = create_async_engine(as_role(fresh))
    async with services_on(role) as services:
        context = Context(domain="few", services=ServiceSet.of(services))
        with pytest.raises(DatabaseError, match="have its owner run `re2llm worker` once"):
            await submit(context, "tidy", {})


@asynccontextmanager
async def services_on(engine: AsyncEngine) -> AsyncIterator[Services]:
    """Open services on an engine, and close both."""
    url = SecretStr(engine.url.render_as_string(hide_password=False))
    services = await open_services(Settings(database_url=url), engine=engine)
    try:
        yield services
    finally:
        await services.close()
        await engine.dispose()
