"""Real components for the tests: one embedded PostgreSQL in a throw-away directory, the real
encoder, the real graph and the real offline model. Only a model's answers may be scripted.
"""

import atexit
import gc
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

PROVIDERS = ("RE2LLM_", "LANGSMITH_", "OPENAI_", "ANTHROPIC_", "GOOGLE_", "AZURE_", "MISTRAL_")
# Before anything of ours is imported: settings and LangGraph read the environment once.
for name in [name for name in os.environ if name.startswith(PROVIDERS)]:
    del os.environ[name]
HOME = Path(tempfile.mkdtemp(prefix="re2llm-tests-"))
NO_NETWORK = Path(__file__).parent / "support" / "no_network"
# Programs that tests start take up the compiled modules of those before them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ |= {
    "RE2LLM_HOME": str(HOME),
    "RE2LLM_RETRY_PAUSE": "0.01",
    # The tests' database holds many domains; one test says what happens without a default.
    "RE2LLM_DOMAIN": "films",
    # Most tests are about what the model says; those of the first stage and the fusion say so.
    "RE2LLM_FUSE": "llm",
    # No request leaves this machine, nor from the processes that tests start.
    "PYTHONPATH": os.pathsep.join([str(NO_NETWORK), *filter(None, [os.environ.get("PYTHONPATH")])]),
    "HF_HUB_OFFLINE": "1",
    "LANGGRAPH_STRICT_MSGPACK": "true",
    "LANGSMITH_TRACING": "false",
}
if "PYTEST_XDIST_WORKER" in os.environ:  # the other workers have work for the other processors
    os.environ["OMP_NUM_THREADS"] = "1"
runpy.run_path(str(NO_NETWORK / "sitecustomize.py"))
# Registered before the server registers its own stop, so it runs after it.
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

import psycopg  # noqa: E402
import pytest  # noqa: E402
import pytest_asyncio  # noqa: E402
from langchain_core.language_models import BaseChatModel  # noqa: E402
from langchain_core.messages import AIMessage, BaseMessage  # noqa: E402
from langchain_core.outputs import ChatGeneration, ChatResult  # noqa: E402
from ports import free_port  # noqa: E402
from re2llm.data.sample import sample_items, simulate_sessions  # noqa: E402
from re2llm.knowledge.access.grants import Grants  # noqa: E402
from re2llm.knowledge.access.keys import check_key, create_key  # noqa: E402
from re2llm.knowledge.engine import database_url  # noqa: E402
from re2llm.operations.loading.load import Loaded, load_domain  # noqa: E402
from re2llm.records import Item, Session  # noqa: E402
from re2llm.runtime.caller import Caller  # noqa: E402
from re2llm.runtime.services import Services  # noqa: E402
from re2llm.runtime.sharing import close_shared_services, shared_services  # noqa: E402
from re2llm.settings import Settings, get_settings  # noqa: E402

gc.set_threshold(20_000, 50, 50)  # as Python comes, a tenth of the tests' time goes into it

ROOT = Path(__file__).parent.parent
VIEWERS = 60
START_UP = 150

LONG = 120
"""Seconds that a test is given by a mark of its own where it may take long."""

Answer = Callable[[Sequence[BaseMessage]], str]


@pytest.hookimpl(trylast=True)  # after those were left out that are not to run
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no worker waits for another at the end."""
    marks = ((item, item.get_closest_marker("timeout")) for item in items)
    long = {item.path for item, mark in marks if mark and mark.args[0] >= LONG}
    items.sort(key=lambda item: item.path not in long)


class Scripted(BaseChatModel):
    """A chat model that answers what the test says, and remembers what it was asked."""

    answer: Answer
    asked: list[list[BaseMessage]]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        self.asked.append(messages)
        message = AIMessage(self.answer(messages))
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.fixture(scope="session")
def settings() -> Settings:
    return get_settings()


@pytest.fixture(scope="session")
def url(settings: Settings) -> str:
    """The test server's database, as SQLAlchemy writes it."""
    assert settings.database_url is None, "tests write into a server of their own"
    started = database_url(settings)
    with psycopg.connect(plain(started), autocommit=True) as connection:
        # Without it, data survives the end of the server's processes, if not of the machine.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def services(url: str) -> AsyncIterator[Services]:
    yield await shared_services()
    await close_shared_services()


@pytest.fixture
def domain() -> str:
    """The name of a domain that no other test uses; loading it is up to the test."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def film_sessions() -> list[Session]:
    return simulate_sessions(VIEWERS, seed=1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def films(services: Services, film_sessions: list[Session]) -> str:
    """The sample films with simulated training sessions; a domain to read, not to change."""
    name = "films"
    await load_domain(services, name, sample_items(), [lambda _: film_sessions])
    return name


@pytest.fixture
def script(services: Services) -> Callable[[Answer], tuple[str, Scripted]]:
    """Make a scripted model under a name of its own, ready for `Context(model=…)`."""

    def make(answer: Answer) -> tuple[str, Scripted]:
        model = Scripted(answer=answer, asked=[])
        name = f"scripted-{uuid.uuid4().hex[:8]}"
        services.models.register(name, model)
        return name, model

    return make


@pytest.fixture
def keyed(services: Services, films: str) -> Callable[..., Any]:
    """Make a key for the films and return whom a server finds with it."""

    async def make(owner: str = "shop", **grants: Any) -> Caller:
        async with services.engine.begin() as connection:
            key = await create_key(connection, owner, [films], Grants(**grants))
            found = await check_key(connection, key)
        assert found is not None
        return Caller(found.owner, found.id, tuple(found.domains), found.grants)

    return make


@pytest.fixture
def load(services: Services) -> Callable[..., Any]:
    """Load plain lists of items and of files of sessions."""

    async def load_lists(domain: str, items: Sequence[Item], *files: Sequence[Session]) -> Loaded:
        sources = [lambda _, rows=rows: rows for rows in files]
        return await load_domain(services, domain, items, sources)

    return load_lists


@pytest.fixture
def adjust(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Change settings for one test: of this process's graphs and of commands, run in any way."""

    def change(**values: Any) -> None:
        changed = services.settings.model_copy(update=values)
        monkeypatch.setattr(services, "settings", changed)
        for name, value in values.items():
            written = json.dumps(value) if isinstance(value, dict) else str(value)
            monkeypatch.setenv(f"RE2LLM_{name.upper()}", written)
        get_settings.cache_clear()

    yield change
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for less time, where what is learnt is not the question."""
    from re2llm.operations.training import train  # torch, which many tests do without

    usual = train.default_config

    def short(*given: Any, **named: Any) -> Any:
        config = usual(*given, **named)
        members = min(config.members, 2)
        return replace(config, ppo=replace(config.ppo, updates=50), members=members)

    monkeypatch.setattr(train, "default_config", short)


@pytest.fixture
def rows(url: str) -> Iterator[Callable[[], dict[str, int]]]:
    """Count the rows of every table of ours."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        yield lambda: count_rows(connection)


def count_rows(connection: psycopg.Connection) -> dict[str, int]:
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 're2llm'"
    ).fetchall()
    counts: dict[str, int] = {}
    for (table,) in tables:
        found = connection.execute(f"SELECT count(*) FROM re2llm.{table}").fetchone()
        counts[table] = found[0] if found else 0
    return counts


def plain(url: str) -> str:
    """Return an SQLAlchemy URL as libpq reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture(scope="session")
def server_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "server.log"


@pytest.fixture(scope="session")
def server(films: str, server_log: Path) -> Iterator[str]:
    """The address of a server on the tests' own database."""
    with serving(server_log) as address:
        yield address


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[str]]:
    """What runs a server of a test's own."""
    return serving


@contextmanager
def serving(log: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Run `langgraph dev` in a folder beside its log; yield its address."""
    folder = log.parent / "app"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "langgraph.json", folder)
    port = free_port()
    command = [Path(sys.executable).with_name("langgraph"), "dev", "--no-browser", "--no-reload"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*map(str, command), "--host", host, "--port", str(port)],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1"},
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, process, log)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_UP
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"{address}/ok", timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(log.read_text()[-3000:])
