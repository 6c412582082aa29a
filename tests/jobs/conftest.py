"""What the tests of jobs share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import FaultServer
from learnt import libpq
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.operations.hints import add_hint
from re2llm.operations.load import load_domain
from re2llm.runtime.options import Context
from re2llm.runtime.services import Services
from workers import Workers


@pytest.fixture
def workers(services: Services, url: str) -> Iterator[Workers]:
    """Workers on the tests' own database; none is left behind."""
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
