"""A request that names no domain means the only one there is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr
from re2llm.errors import InputError
from re2llm.knowledge.names import stored_names
from re2llm.knowledge.schema.tables import DomainRow
from re2llm.operations.catalogue.titles import find_titles
from re2llm.operations.database import with_domain
from re2llm.operations.learning.learn import learn
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services, open_services
from re2llm.runtime.sharing import ServiceSet
from re2llm.settings import Settings
from sqlalchemy import delete

TEAS = [Item(str(number), title) for number, title in enumerate(("Sencha", "Assam", "Rooibos"))]
SESSIONS = [Session(("0",), "1", None), Session(("1",), "2", None)]
SEVERAL = (
    r"^domain: Several domains are loaded: herbs, teas\. "
    "Name one as `domain`, or set RE2LLM_DOMAIN"
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def opened(settings: Settings, template: str) -> AsyncIterator[Services]:
    """Services over a database of this file's own."""
    own = settings.model_copy(update={"database_url": SecretStr(template)})
    services = await open_services(own)
    yield services
    await services.close()


@pytest_asyncio.fixture
async def own(opened: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """The same, with nothing in it."""
    monkeypatch.setattr(opened.settings, "domain", None)
    async with opened.engine.begin() as connection:
        await connection.execute(delete(DomainRow))
    return opened


async def load(services: Services, *names: str) -> None:
    for name in names:
        await load_domain(services, name, TEAS, [lambda _: SESSIONS])


async def test_every_step_takes_the_only_domain(own: Services) -> None:
    await load(own, "teas")
    context = Context(services=ServiceSet.of(own))
    found = await find_titles(context, ["sencha"])
    assert [item.id for title in found.titles for item in title.items] == ["0"]
    made = await recommend(context, ["Sencha"], k=1)
    assert (made.domain, len(made.items)) == ("teas", 1)
    stored = await give_feedback(context, made.recommendation_id, made.items[0].id, learn=False)
    assert stored.rank == 1
    assert (await learn(context)).domain == "teas"
    assert stored_names("hint", "", own.settings) == []


async def test_none_and_several_are_refused_with_what_to_do(own: Services) -> None:
    with pytest.raises(InputError, match=r"^domain: Nothing is loaded yet\. Load one with"):
        await recommend(Context(services=ServiceSet.of(own)), ["Sencha"])
    await load(own, "teas", "herbs")
    for operation in (recommend, find_titles):
        with pytest.raises(InputError, match=SEVERAL):
            await operation(Context(services=ServiceSet.of(own)), ["Sencha"])
    with pytest.raises(InputError, match=SEVERAL):
        await learn(Context(services=ServiceSet.of(own)))


async def test_what_one_may_not_know_of_does_not_count(own: Services) -> None:
    await load(own, "teas", "herbs")
    context = Context(services=ServiceSet.of(own), domains=["teas", "gone"])
    assert (await with_domain(context)).domain == "teas"
    own.settings.domain = "herbs"
    assert (await with_domain(context)).domain == "teas"
    assert (await with_domain(Context(services=ServiceSet.of(own)))).domain == "herbs"


@pytest.mark.long
async def test_a_command_says_once_which_it_took(own: Services, template: str) -> None:
    await load(own, "teas")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "re2llm", "recommend", "Sencha", "-k", "1", "--json"],
        env={**os.environ, "RE2LLM_DATABASE_URL": template, "RE2LLM_DOMAIN": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines() == ["note: domain 'teas', the only one there is"]
    assert '"domain": "teas"' in done.stdout
