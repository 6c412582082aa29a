"""A server for the tests of the API, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from api_server import serving_api
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import create_key
from re2llm.runtime.services import Services

MakeKey = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def address(films: str) -> Iterator[str]:
    with serving_api() as address:
        yield address


@pytest_asyncio.fixture
async def http(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def make_key(services: Services, films: str) -> MakeKey:
    """Make a key and return the headers that send it."""

    async def make(domain: str = films, owner: str = "shop", **grants: Any) -> dict[str, str]:
        async with services.engine.begin() as connection:
            key = await create_key(connection, owner, [domain], Grants(**grants))
        return {"authorization": f"Bearer {key}"}

    return make
