"""A served console, browsers without a screen, and keys to sign in with."""

from __future__ import annotations

import shutil
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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chromium() -> AsyncIterator[Any]:
    """Debian's Chromium, without a screen."""
    api = pytest.importorskip("playwright.async_api", reason="needs the extra `browser`")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    async with api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def tab(chromium: Any, address: str) -> AsyncIterator[Any]:
    """A tab that fails the test if the page says anything on its console."""
    context = await chromium.new_context(base_url=address, bypass_csp=False)
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    await context.close()
    assert not [line for line in said if "Failed to load resource" not in line], said
