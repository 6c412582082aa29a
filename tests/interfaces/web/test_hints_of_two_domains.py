"""Two domains with hints of the same numbers, asked for through every interface."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from api_server import problem
from console import Browser, form_to
from re2llm import Re2llm
from re2llm.cli import app
from re2llm.graph.recommend import graph as recommend_graph
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import list_hints as stored_hints
from re2llm.operations.hints.manage import add_hint, list_hints, show_hint
from re2llm.ranking.release_cache import with_embeddings
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from typer.testing import CliRunner

COLOURS = ("amber", "cobalt")
ITEMS = [Item(f"{n}", f"Thing {n}", {}) for n in range(8)]
PROXY = {"x-forwarded-for": "192.0.2.1"}


@pytest_asyncio.fixture
async def domains(load: Any, domain: str) -> dict[str, str]:
    """By colour, a domain with hints 1 and 2; cobalt has a third."""
    names = {colour: f"{domain}-{colour}" for colour in COLOURS}
    for colour, name in names.items():
        await load(name, ITEMS, [Session(("0", "1"), "2")])
        for number in range(1, 4 if colour == "cobalt" else 3):
            added = await add_hint(Context(), f"Prefer {colour} of kind {number}.", domain=name)
            assert added.hint_id == number
    return names


def statuses(of: Any) -> dict[int, str]:
    return {hint.id: hint.status for hint in of.hints}


async def by_command(domain: str, number: int) -> str:
    given = ["hints", "show", str(number), "--domain", domain, "--json"]
    answer = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)["text"]


async def by_graph(domain: str, number: int) -> str:
    context = Context(domain=domain, hint_id=number)
    made = await recommend_graph.ainvoke({"history": ["0"]}, context=context)
    assert made["error"] is None
    return made["hint"]["text"]


async def by_object(domain: str, number: int) -> str:
    async with Re2llm(domain=domain) as shop:
        (found,) = [one for one in (await shop.ahints()).hints if one.id == number]
    return found.text


def over(browser: Browser) -> dict[str, Callable[[str, int], Awaitable[str]]]:
    http = browser.http

    async def api(domain: str, number: int) -> str:
        answer = await http.get(f"/v1/hints/{number}", params={"domain": domain})
        return answer.raise_for_status().json()["text"]

    async def page(domain: str, number: int) -> str:
        return (await browser.get(f"/console/hints/{number}", domain=domain)).text

    async def mcp(domain: str, number: int) -> str:
        asked = {"name": "list_hints", "arguments": {"domain": domain}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
        headers = {"accept": "application/json, text/event-stream"}
        answer = (await http.post("/mcp", json=call, headers=headers)).raise_for_status().json()
        listed = answer["result"]["structuredContent"]["hints"]
        return next(hint["text"] for hint in listed if hint["id"] == number)

    return {"api": api, "page": page, "mcp": mcp}


@pytest.mark.long
async def test_every_interface_finds_the_hint_of_the_domain(
    browser: Browser, domains: dict[str, str]
) -> None:
    pytest.importorskip("mcp", reason="needs the extra `mcp`")
    ways = {"command": by_command, "graph": by_graph, "object": by_object, **over(browser)}
    for name, way in ways.items():
        for number in (2, 1):
            for colour, other in (COLOURS, COLOURS[::-1]):
                text = await way(domains[colour], number)
                assert f"Prefer {colour} of kind {number}." in text, name
                assert other not in text.replace(domains[other], ""), name
    # The graph has logged each of its answers, for its own domain.
    for colour in COLOURS:
        shown = await show_hint(Context(), 1, domain=domains[colour])
        assert shown["uses"] == 1


async def test_a_change_is_of_the_domain_alone(
    browser: Browser, domains: dict[str, str], address: str, make_key: Any
) -> None:
    amber, cobalt = domains.values()
    key = await make_key(amber, may=("learn",))
    headers = {**PROXY, "authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=address, timeout=60, headers=headers) as http:
        # A key with one domain need not name it, and reaches no hint of another's.
        shown = (await http.get("/v1/hints/1")).raise_for_status().json()
        assert shown["text"] == "Prefer amber of kind 1."
        (await http.post("/v1/hints:retire", json={"hints": [1]})).raise_for_status()
        for body in ({"hints": [3]}, {"hints": [1], "domain": cobalt}):
            problem(await http.post("/v1/hints:retire", json=body), 422)
        problem(await http.get("/v1/hints/3"), 404)
    page = await browser.get("/console/hints/2", domain=amber)
    form = form_to(page, "/console/hints:change")
    changed = await browser.send(form, change="retire")
    assert changed.headers["location"].startswith(f"/console/hints/2?domain={amber}")
    edited = form_to(page, "/console/hints/2/edit")
    made = await browser.send(edited, text="Prefer amber that is newer.")
    assert made.headers["location"].startswith(f"/console/hints/3?domain={amber}")
    assert statuses(await list_hints(Context(), domain=amber)) == {
        1: "retired",
        2: "retired",
        3: "pending",
    }
    assert set(statuses(await list_hints(Context(), domain=cobalt)).values()) == {"active"}
    assert "newer" not in (await browser.get("/console/hints/2", domain=cobalt)).text


async def test_embeddings_kept_in_memory_are_of_the_domain(
    services: Services, domains: dict[str, str]
) -> None:
    for _ in range(2):  # read, and then remembered
        async with services.engine.connect() as connection:
            for name in domains.values():
                found = await find_domain(connection, name)
                hints = await stored_hints(connection, found.id)
                kept = await with_embeddings(services, connection, found.id, hints)
                own = services.embedder.encode([hint.text for hint in hints])
                assert np.allclose([vector for _, vector in kept], own, atol=1e-5)
