"""`langgraph dev` serves the graph as Studio and other programs see it."""

from pathlib import Path
from typing import Any

import pytest
from re2llm.data.sample import load_films, sample_items
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.services import Services
from server_logs import troubles

pytest.importorskip("langgraph_api", reason="needs the extra `studio`")
adapters = pytest.importorskip("langchain_mcp_adapters.client")

IDS = [film.id for film in load_films()]
REQUEST: dict[str, Any] = {"domain": "films", "history": IDS[:2], "candidates": IDS[10:16]}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", autouse=True)
def logged_before(server: str, server_log: Path) -> int:
    """Bytes that the server had logged before the tests of this file."""
    return server_log.stat().st_size


def assert_valid(result: dict[str, Any]) -> None:
    assert result.get("error") is None
    assert sorted(result["ranking"]) == sorted(REQUEST["candidates"])
    assert result["flags"] == []


@pytest.mark.long
async def test_through_the_sdk(server: str) -> None:
    from langgraph_sdk import get_client

    client = get_client(url=server)
    result: Any = await client.runs.wait(None, "recommend", input=REQUEST)
    assert_valid(result)
    thread = await client.threads.create()
    kept: Any = await client.runs.wait(thread["thread_id"], "recommend", input=REQUEST)
    assert kept["ranking"] == result["ranking"]
    state = await client.threads.get_state(thread["thread_id"])
    assert state["next"] == []


@pytest.mark.long
async def test_the_sdk_passes_a_context(server: str) -> None:
    from langgraph_sdk import get_client

    client = get_client(url=server)
    context = {"policy": "random", "record": False, "unheard-of": 1}
    result: Any = await client.runs.wait(None, "recommend", input=REQUEST, context=context)
    assert_valid(result)
    assert result["hint"]["policy"] == "random"
    assert result["recommendation_id"] is None


async def test_studio_sees_forms_for_input_and_context(server: str) -> None:
    from langgraph_sdk import get_client

    client = get_client(url=server)
    (assistant,) = await client.assistants.search(graph_id="recommend")
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    assert set(schemas["input_schema"]["properties"]) == {
        "history",
        "candidates",
        "domain",
        "k",
        "user",
    }
    assert "policy" in schemas["context_schema"]["properties"]
    drawn = await client.assistants.get_graph(assistant["assistant_id"])
    nodes = {node["id"] for node in drawn["nodes"]}
    assert {"prepare", "select_hint", "recommend", "check"} <= nodes


@pytest.mark.parametrize("graph", ["recommend", "learn", "rate", "chat"])
async def test_studio_can_edit_what_goes_into_a_prompt(server: str, graph: str) -> None:
    """As the server hands the schema out, which is where descriptions and marks may be lost."""
    from langgraph_sdk import get_client

    client = get_client(url=server)
    (assistant,) = await client.assistants.search(graph_id=graph)
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    fields = (schemas["context_schema"] or {})["properties"]
    assert [name for name, field in fields.items() if not field.get("description")] == []
    assert fields["hint"]["langgraph_type"] == "prompt"
    assert fields["hint"]["langgraph_nodes"] == ["select_hint", "recommend"]
    drawn = await client.assistants.get_graph(assistant["assistant_id"])
    assert {node["id"] for node in drawn["nodes"]} & set(fields["model"]["langgraph_nodes"])


async def test_the_graph_answers_as_a_remote_graph(server: str) -> None:
    from langgraph.pregel.remote import RemoteGraph

    remote = RemoteGraph("recommend", url=server)
    assert_valid(await remote.ainvoke(REQUEST))


@pytest.mark.long
@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"history": []}, "history"),
        ({"history": ["no-such-film"]}, "history"),
        ({"candidates": IDS[:1]}, "candidates"),
        ({"candidates": [IDS[3], IDS[3]]}, "candidates"),
    ],
)
async def test_bad_input_comes_back_as_an_error(
    server: str, bad: dict[str, Any], field: str
) -> None:
    from langgraph_sdk import get_client

    result: Any = await get_client(url=server).runs.wait(
        None, "recommend", input={**REQUEST, **bad}
    )
    assert result["error"]["field"] == field
    assert result["error"]["remedy"]


@pytest.mark.long
async def test_as_an_mcp_tool(server: str) -> None:
    client = adapters.MultiServerMCPClient(
        {"re2llm": {"transport": "streamable_http", "url": f"{server}/mcp"}}
    )
    tools = {tool.name: tool for tool in await client.get_tools()}
    tool = tools["recommend"]
    assert "Recommends" in tool.description
    assert "history" in tool.args
    answer = str(await tool.ainvoke(REQUEST))
    for item in REQUEST["candidates"]:
        assert item in answer
    refused = str(await tool.ainvoke({**REQUEST, "history": ["no-such-film"]}))
    assert "remedy" in refused
    assert "no-such-film" in refused


@pytest.mark.long
async def test_a_learn_run_shows_why_a_hint_was_kept(
    server: str, services: Services, film_sessions: list[Session]
) -> None:
    from langgraph_sdk import get_client

    await load_domain(services, "studied", sample_items(), [lambda _: film_sessions])
    client = get_client(url=server)
    events: list[dict[str, Any]] = []
    for _ in range(20):
        request = {"domain": "studied"}
        async for part in client.runs.stream(None, "learn", input=request, stream_mode="custom"):
            assert part.event != "error", part.data
            if part.event == "custom":
                events.append(part.data)
        if any(event["event"] == "verified" for event in events):
            break
    kinds = list(dict.fromkeys(event["event"] for event in events))
    assert kinds[:4] == ["missed", "diagnosis", "hint", "verified"]
    assert events[0]["rank"] > 10
    for event in events:
        if event["event"] == "verified":
            assert event["outcome"] in {"effective", "ineffective", "duplicate", "leak"}
            assert event["reason"]


@pytest.mark.long
async def test_nothing_blocked_the_servers_event_loop(
    server: str, server_log: Path, logged_before: int
) -> None:
    from langgraph_sdk import get_client

    await get_client(url=server).runs.wait(None, "recommend", input=REQUEST)
    assert troubles(server_log, "BlockingError") == ""
    assert troubles(server_log, "Traceback", start=logged_before) == ""
