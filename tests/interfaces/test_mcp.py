"""Our MCP server through real clients: over standard input and output, and over HTTP."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from re2llm.data.sample import load_films

mcp = pytest.importorskip("mcp", reason="needs the extra `mcp`")
adapters = pytest.importorskip("langchain_mcp_adapters.client")

from mcp import ClientSession, StdioServerParameters  # noqa: E402
from mcp.client.stdio import stdio_client  # noqa: E402

IDS = [film.id for film in load_films()]
REQUEST: dict[str, Any] = {"history": IDS[:2], "candidates": IDS[10:16], "k": 4}
TOOLS = {"recommend", "feedback", "rate", "find_titles", "list_hints"}

pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def stdio(*arguments: str) -> AsyncIterator[ClientSession]:
    command = Path(sys.executable).with_name("re2llm")
    started = StdioServerParameters(
        command=str(command), args=["mcp", *arguments], env=dict(os.environ)
    )
    async with (
        stdio_client(started) as (reading, writing),
        ClientSession(reading, writing) as session,
    ):
        began = await session.initialize()
        assert began.serverInfo.version == version("re2llm")
        yield session


def valid(result: Any, schema: dict[str, Any] | None) -> dict[str, Any]:
    assert not result.isError, result.content
    assert schema is not None
    jsonschema.validate(result.structuredContent, schema)
    # For clients that read text only.
    assert json.loads(result.content[0].text) == result.structuredContent
    return result.structuredContent


@pytest.mark.long
async def test_over_standard_input_and_output(films: str) -> None:
    async with stdio("--domain", films) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == TOOLS
        for tool in tools.values():
            assert tool.description
            assert tool.outputSchema
            assert all(p.get("description") for p in tool.inputSchema["properties"].values())
        made = valid(await session.call_tool("recommend", REQUEST), tools["recommend"].outputSchema)
        assert sorted(made["ranking"]) == sorted(REQUEST["candidates"])
        assert len(made["items"]) == 4
        picked = {"recommendation_id": made["recommendation_id"], "picked": made["ranking"][1]}
        for new in (True, False):
            kept = valid(
                await session.call_tool("feedback", picked), tools["feedback"].outputSchema
            )
            assert (kept["rank"], kept["new"]) == (2, new)
        found = valid(
            await session.call_tool("find_titles", {"titles": ["blade runer"]}),
            tools["find_titles"].outputSchema,
        )
        assert found["titles"][0]["items"][0]["title"] == "Blade Runner"
        review = {"title": "Heat", "rating": 4, "text": "Tense."}
        rated = valid(
            await session.call_tool("rate", {"item": {"title": "Fargo"}, "history": [review]}),
            tools["rate"].outputSchema,
        )
        assert 1 <= rated["rating"] <= 5
        hints = valid(await session.call_tool("list_hints", {}), tools["list_hints"].outputSchema)
        assert hints["domain"] == films


@pytest.mark.long
@pytest.mark.parametrize(
    ("tool", "bad", "told"),
    [
        ("recommend", {"history": ["no-such-film"]}, "no item 'no-such-film'"),
        ("recommend", {"history": []}, "history"),
        ("recommend", {"history": IDS[:1], "k": 0}, "k"),
        ("recommend", {"history": IDS[:1], "domain": "nowhere"}, "no domain 'nowhere'"),
        ("recommend", {"history": IDS[:1], "candidates": IDS[:1]}, "candidates"),
        ("recommend", {}, "history"),
        ("feedback", {"recommendation_id": "x", "picked": None}, "no recommendation 'x'"),
        ("rate", {"item": {"title": "Fargo"}, "history": [{"title": "Heat", "rating": 9}]}, "9"),
        ("rate", {"history": []}, "item"),
        ("no_such_tool", {}, "Unknown tool"),
    ],
)
async def test_what_cannot_be_done_is_told(
    server: str, tool: str, bad: dict[str, Any], told: str
) -> None:
    async with http(server) as session:
        result = await session.call_tool(tool, bad)
    assert result.isError
    assert told in result.content[0].text
    assert "Traceback" not in result.content[0].text
    assert "pydantic" not in result.content[0].text


ITEM = {"title": "Fargo"}
REVIEW = {"title": "Heat", "rating": 4}


@pytest.mark.parametrize(
    ("tool", "misnamed", "told"),
    [
        ("feedback", {"recommendation_id": "x"}, "picked: It is missing."),
        ("feedback", {"recommendation_id": "x", "item": "Aliens"}, "item: is not known."),
        ("feedback", {"recommendation_id": "x", "picked": "1", "why": "!"}, "recommendation_id, "),
        ("recommend", {"history": IDS[:1], "candidate_ids": IDS[10:12]}, "candidate_ids: is not"),
        ("recommend", {"history": IDS[:1], "count": 3}, "history, candidates, k, domain"),
        ("find_titles", {"titles": ["Alien"], "catalogue": "films"}, "catalogue: is not known"),
        ("list_hints", {"catalogue": "films"}, "catalogue: is not known"),
        ("rate", {"item": ITEM, "history": [REVIEW], "scale": 10}, "scale: is not known"),
        ("rate", {"item": {**ITEM, "year": 1996}, "history": []}, "item.year: is not known"),
        ("rate", {"item": ITEM, "history": [{**REVIEW, "review": "So"}]}, "history.0.review: is"),
        ("rate", {"item": '{"title": "Fargo", "year": 1996}', "history": []}, "item.year: is not"),
        (
            "rate",
            {"item": ITEM, "history": '[{"title": "Heat", "rating": 4, "review": "So"}]'},
            "history.0.review: is",
        ),
        (
            "rate",
            {"item": ITEM, "item_reviews": '[{"rating": 4, "review": "So"}]'},
            "item_reviews.0.review: is",
        ),
    ],
)
async def test_an_argument_by_another_name_is_refused_and_not_passed_over(
    films: str, tool: str, misnamed: dict[str, Any], told: str
) -> None:
    from mcp.server.fastmcp.exceptions import ToolError
    from re2llm.interfaces.mcp_server import build_server

    server = build_server()
    with pytest.raises(ToolError) as caught:
        await server.call_tool(tool, misnamed)
    assert told in str(caught.value)
    assert all(not one.inputSchema["additionalProperties"] for one in await server.list_tools())


@pytest.mark.parametrize(
    ("tool", "filled"),
    [
        ("recommend", {**REQUEST, "candidates": [], "k": None, "domain": None}),
        ("recommend", {**REQUEST, "candidates": "", "domain": ""}),
        ("recommend", {**REQUEST, "candidates": "null", "k": "", "domain": "null"}),
        ("recommend", {**REQUEST, "candidates": None, "k": "3"}),
        ("recommend", {**REQUEST, "history": "Alien"}),
        ("find_titles", {"titles": "Alien"}),
        ("find_titles", {"titles": ["Alien"], "domain": ""}),
        ("list_hints", {"domain": ""}),
        ("list_hints", {"query": "", "filters": {}, "tags": [], "limit": None}),
        (
            "rate",
            {
                "item": {"title": "Fargo"},
                "history": [{"title": "Heat", "rating": 4}],
                "item_reviews": None,
                "lowest": None,
                "highest": "",
            },
        ),
        *(
            (
                "rate",
                {
                    "item": {"title": "Fargo", "attributes": nothing},
                    "history": [{"title": "Heat", "rating": 4, "attributes": nothing}],
                },
            )
            for nothing in ("", [], {}, None)
        ),
    ],
)
async def test_an_optional_argument_that_is_filled_with_nothing_is_absent(
    server: str, tool: str, filled: dict[str, Any]
) -> None:
    async with http(server) as session:
        result = await session.call_tool(tool, filled)
    assert not result.isError, result.content


async def test_numbers_are_taken_for_ids(server: str) -> None:
    async with http(server) as session:
        result = await session.call_tool("recommend", {"history": [300]})
    assert result.isError
    assert "no item '300'" in result.content[0].text


HALVES = {
    "of an emoji": ["Alien \\ud83d"],
    "in capitals": ["\\uD83D\\u0041lien"],
    "the other half": ["Alien \\udE00 "],
    "beside a whole one": ["\\ud83d\\ude00 \\ud83d", "Alien"],
    "none": ["Alien \\ud83d\\ude00"],
}


@pytest.mark.parametrize("name", HALVES)
async def test_half_a_character_is_answered_over_standard_input(
    films: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from re2llm.interfaces.mcp_server import build_server
    from re2llm.interfaces.mcp_stdio import serve_stdio

    ends = [os.pipe(), os.pipe()]
    began = {"protocolVersion": "2025-06-18", "capabilities": {}}
    began["clientInfo"] = {"name": "test", "version": "1"}
    titles = ", ".join(f'"{title}"' for title in HALVES[name])
    call = f'{{"name": "find_titles", "arguments": {{"titles": [{titles}]}}}}'
    with (
        os.fdopen(ends[0][0]) as read,
        os.fdopen(ends[0][1], "w") as write,
        os.fdopen(ends[1][0]) as heard,
        os.fdopen(ends[1][1], "w") as said,
    ):
        monkeypatch.setattr(sys, "stdin", read)
        monkeypatch.setattr(sys, "stdout", said)
        serving = asyncio.create_task(serve_stdio(build_server()))
        for line in (
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": began}),
            json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            f'{{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {call}}}',
        ):
            print(line, file=write, flush=True)
        async with asyncio.timeout(60):
            answers = [json.loads(await asyncio.to_thread(heard.readline)) for _ in range(2)]
        write.close()
        await serving
    assert answers[1]["id"] == 2
    found = answers[1]["result"]["structuredContent"]["titles"]
    assert [one["typed"] for one in found] == [
        json.loads(f'"{title}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for title in HALVES[name]
    ]


@asynccontextmanager
async def http(server: str) -> AsyncIterator[ClientSession]:
    from mcp.client.streamable_http import streamable_http_client

    async with (
        streamable_http_client(f"{server}/re2llm/mcp") as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        yield session


async def test_over_http_through_langchains_adapters(server: str) -> None:
    client = adapters.MultiServerMCPClient(
        {"re2llm": {"transport": "streamable_http", "url": f"{server}/re2llm/mcp"}}
    )
    tools = {tool.name: tool for tool in await client.get_tools()}
    assert set(tools) == TOOLS
    async with http(server) as session:
        schemas = {tool.name: tool.outputSchema for tool in (await session.list_tools()).tools}
    call = {"name": "recommend", "args": REQUEST, "id": "1", "type": "tool_call"}
    message = await tools["recommend"].ainvoke(call)
    made = message.artifact["structured_content"]
    jsonschema.validate(made, schemas["recommend"])
    assert sorted(made["ranking"]) == sorted(REQUEST["candidates"])
    refused = await tools["recommend"].ainvoke({**call, "args": {"history": ["no-such-film"]}})
    assert refused.status == "error"
    assert "no-such-film" in str(refused.content)


async def test_a_page_under_another_name_is_refused(server: str) -> None:
    import httpx

    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accepts = {"Accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient() as client:
        for name, value in (("Host", "evil.example"), ("Origin", "http://evil.example")):
            answer = await client.post(
                f"{server}/re2llm/mcp", json=body, headers={**accepts, name: value}
            )
            assert answer.status_code in {401, 403, 421}
        answer = await client.post(f"{server}/re2llm/mcp", json=body, headers=accepts)
        assert answer.status_code == 200


def test_further_hosts_may_be_named() -> None:
    from re2llm.interfaces.mcp_server import build_server

    security = build_server(hosts="films.example.org, 10.0.0.5:2024").settings.transport_security
    assert security is not None
    assert {"films.example.org", "films.example.org:*", "10.0.0.5:2024"} <= {
        *security.allowed_hosts
    }
    assert "https://films.example.org" in security.allowed_origins
