"""Withdrawing items over HTTP, beside loads and beside other requests."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from api_server import problem
from re2llm.data.sample import load_films
from re2llm.knowledge.domain_locks import hold_domain
from re2llm.records import Item
from re2llm.runtime.services import Services

FILM = load_films()[0]


async def test_withdrawals_while_a_catalogue_is_loaded_hold_up_no_other_request(
    http: httpx.AsyncClient, load: Any, services: Services, domain: str, films: str
) -> None:
    await load(domain, [Item(f"i{n}", f"Thing {n}", {}) for n in range(40)])
    body = {"items": ["i1"], "domain": domain}
    async with services.engine.begin() as loading:
        await hold_domain(loading, domain)
        asked = [
            asyncio.ensure_future(http.post("/v1/items:withdraw", json=body))
            for _ in range(2 * services.settings.pool_size)
        ]
        other = {"history": [FILM.id], "domain": films, "policy": "none"}
        async with asyncio.timeout(30):
            (await http.post("/v1/recommend", json=other)).raise_for_status()
            answers = await asyncio.gather(*asked)
    for answer in answers:
        assert problem(answer, 503)["type"] == "urn:re2llm:busy"
        assert int(answer.headers["retry-after"]) > 0
    done = (await http.post("/v1/items:withdraw", json=body)).raise_for_status().json()
    assert done["withdrawn"] == 1
