"""The database goes away between every two nodes of every graph: no graph raises."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from database_proxy import DatabaseProxy, proxied
from langgraph.checkpoint.memory import InMemorySaver
from re2llm.data.sample import sample_items
from re2llm.graph import learn, rate, recommend
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services, open_services
from re2llm.runtime.sharing import ServiceSet
from re2llm.settings import Settings


@pytest.fixture
def proxy(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseProxy]:
    with proxied(url, tmp_path_factory.mktemp("p")) as made:
        yield made


@pytest_asyncio.fixture
async def behind(proxy: DatabaseProxy, settings: Settings) -> AsyncIterator[Services]:
    from pydantic import SecretStr

    address = proxy.url.render_as_string(hide_password=False)
    changed = settings.model_copy(update={"database_url": SecretStr(address)})
    opened = await open_services(changed)
    yield opened
    await opened.close()


def nodes_of(graph: Any) -> list[str]:
    return [name for name in graph.nodes if not name.startswith("__")]


CASES = [
    *(("recommend", name) for name in nodes_of(recommend.graph)),
    *(("learn", name) for name in nodes_of(learn.graph)),
    *(("rate", name) for name in nodes_of(rate.graph)),
]
BUILDERS = {"recommend": recommend, "learn": learn, "rate": rate}


def request_for(graph: str, domain: str, film_sessions: list[Session]) -> dict[str, Any]:
    ids = [item.id for item in sample_items()]
    if graph == "rate":
        return {"item": {"title": "Alien"}, "history": [{"title": "Heat", "rating": 4}]}
    if graph == "learn":
        return {"domain": domain}
    return {"domain": domain, "history": ids[:3], "candidates": ids[10:20]}


@pytest.mark.parametrize(("name", "after"), CASES)
async def test_the_database_is_lost_after_a_node(
    name: str,
    after: str,
    proxy: DatabaseProxy,
    behind: Services,
    load: Callable[..., Any],
    domain: str,
    film_sessions: list[Session],
) -> None:
    await load_domain(behind, domain, sample_items(), [lambda _: film_sessions[12:24]])
    behind.settings = behind.settings.model_copy(
        update={"verify_rule": "paper", "database_timeout": 2.0}
    )
    builder = BUILDERS[name].build_graph().builder
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_after=[after])
    # The node after `prepare` needs the database for every policy but `none`.
    policy = "static" if after == "prepare" else "none"
    context = Context(services=ServiceSet.of(behind), policy=policy)
    config: Any = {"configurable": {"thread_id": uuid.uuid4().hex}}
    before = await graph.ainvoke(request_for(name, domain, film_sessions), config, context=context)
    assert not before.get("error")
    waiting = (await graph.aget_state(config)).next
    proxy.cut()
    result = await graph.ainvoke(None, config, context=context) if waiting else before
    error = result.get("error")
    assert bool(waiting) == (after != nodes_of(graph)[-1])
    if not waiting or name == "rate":
        assert error is None
    elif name == "recommend" and after != "prepare":
        # A ranking that may be paid comes all the same, only not logged.
        assert error is None
        assert result["recommendation_id"] is None
        assert "not_logged" in result["flags"]
        assert sorted(result["ranking"]) == sorted(
            request_for(name, domain, film_sessions)["candidates"]
        )
    else:
        assert error is not None
        assert error["kind"] == "database"


async def test_the_next_request_works_when_the_database_is_back(
    proxy: DatabaseProxy, behind: Services, films: str, film_sessions: list[Session]
) -> None:
    context = Context(services=ServiceSet.of(behind), policy="none")
    asked: Any = request_for("recommend", films, film_sessions)
    proxy.cut()
    lost: dict[str, Any] = await recommend.graph.ainvoke(asked, context=context)
    assert lost["error"]["kind"] == "database"
    proxy.open()
    back: dict[str, Any] = await recommend.graph.ainvoke(asked, context=context)
    assert back["error"] is None


def test_the_proxy_has_a_short_path(proxy: DatabaseProxy) -> None:
    assert Path(str(proxy.url.query["host"])).is_dir()
