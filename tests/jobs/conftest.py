"""What the tests of jobs share."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from fault_server import FaultServer
from learnt import libpq
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.control import cancel_job, jobs
from re2llm.knowledge.access.keys import check_key
from re2llm.operations.accounts.keys import create_key
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.loading.load import load_domain
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from workers import Workers


@pytest_asyncio.fixture
async def workers(services: Services, url: str) -> AsyncIterator[Workers]:
    """Workers on the tests' own database; none is left behind."""
    # Jobs that other tests left would be done by these workers too, or keep them from starting.
    for left in await jobs(Context(), state="running"):
        await cancel_job(Context(), left.job.id)
    made = Workers(url, {"RE2LLM_DATABASE_URL": libpq(url)})
    yield made
    made.close()


@pytest.fixture
def loaded(services: Services, domain: str) -> Callable[..., Any]:
    """Load the sample films with some viewers' sessions, and a few hints."""

    async def load(viewers: int, hints: int = 0) -> str:
        sessions = simulate_sessions(viewers, seed=1)
        await load_domain(services, domain, sample_items(), [lambda _: sessions])
        for number in range(hints):
            text = f"Prefer films that share at least {number + 2} themes with the history."
            await add_hint(Context(domain=domain), text)
        return domain

    return load


@pytest.fixture
def model() -> Iterator[FaultServer]:
    """A model over HTTP that counts what it is asked."""
    with FaultServer().running() as server:
        yield server


@pytest.fixture
def holder(services: Services) -> Callable[..., Any]:
    """Make a key that may learn, and return the context of a run with it."""

    async def make(domain: str) -> Context:
        made = await create_key(Context(), "shop", [domain], may=["learn"])
        async with services.engine.connect() as connection:
            key = await check_key(connection, made.key)
        assert key is not None
        return Context(domain=domain, caller=Caller.of(key))

    return make
