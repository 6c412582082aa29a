"""Viewers of the sample films send live traffic through the real server until rollouts end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from api_server import serving_api
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.operations.loading.load import load_domain
from re2llm.ranking import rollouts as watch
from re2llm.runtime.services import Services
from rollouts import two_releases
from traffic import Traffic, Viewers

pytestmark = pytest.mark.timeout(900)
PLAN = {"steps": [40, 70, 100], "hold": 30, "most": 2_000, "effect": 0.3}


@pytest.fixture(scope="module")
def address(services: Services) -> Iterator[str]:
    with serving_api() as address:
        yield address


@pytest_asyncio.fixture
async def http(address: str) -> AsyncIterator[httpx.AsyncClient]:
    # A connection that is kept may be closed by the server just as it is used again.
    fresh = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=fresh) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize(("delta", "state"), [(-0.3, "taken_back"), (0.3, "promoted")])
async def test_a_rollout_on_the_real_server_ends_as_the_true_difference_has_it(
    services: Services,
    http: httpx.AsyncClient,
    domain: str,
    delta: float,
    state: str,
) -> None:
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(20, seed=1)])
    await two_releases(services, domain)
    started = await http.post("/v1/releases:canary", json={"release": 2, "domain": domain, **PLAN})
    assert started.raise_for_status().json()["state"] == "running"
    observed = np.random.default_rng(0).choice([0.0, 0.39, 0.5, 0.63, 1.0], 600).tolist()
    viewers = Viewers(observed, delta=delta, people=90, answered=0.8, seed=3)
    shown: dict[str, Any] = {}
    for _ in range(40):
        traffic: Traffic = await viewers.send(http, domain, requests=60, at_once=8)
        assert traffic.failed == 0
        shown = (await http.get("/v1/releases:canary", params={"domain": domain})).json()
        if shown["state"] != "running":
            break
        assert viewers.unsteady == 0  # those who had it keep it
        await asyncio.sleep(watch.LOOK_EVERY / 5)
    assert shown["state"] == state, shown
    after = await http.post("/v1/recommend", json=viewers.request(domain, 0))
    policy = after.json()["hint"]["policy"]
    assert policy == ("ppo:2" if state == "promoted" else "ppo:1")
    listed = (await http.get("/v1/releases/2", params={"domain": domain})).json()
    assert listed["rollout"]["state"] == state
    assert listed["status"] == ("active" if state == "promoted" else "inactive")
