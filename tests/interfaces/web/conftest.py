"""A served console, browsers, and keys to sign in with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from api_server import serving_api
from console import Browser
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import create_key
from re2llm.runtime.services import Services

MakeKey = Callable[..., Awaitable[str]]
PROXY = {"x-forwarded-for": "192.0.2.1"}
"""What comes through a proxy needs a key."""


@pytest.fixture(scope="session")
def address(films: str) -> Iterator[str]:
    with serving_api() as address:
        yield address


@pytest_asyncio.fixture
async def browser(address: str) -> AsyncIterator[Browser]:
    """On the server's own machine, where no key is needed."""
    async with Browser(address) as one:
        yield one


@pytest_asyncio.fixture
async def stranger(address: str) -> AsyncIterator[Browser]:
    """On another machine."""
    async with Browser(address, **PROXY) as one:
        yield one


@pytest.fixture
def make_key(services: Services, films: str) -> MakeKey:
    async def make(*domains: str, owner: str = "shop", **grants: Any) -> str:
        async with services.engine.begin() as connection:
            return await create_key(connection, owner, domains or [films], Grants(**grants))

    return make
