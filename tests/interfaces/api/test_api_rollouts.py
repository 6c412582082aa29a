"""Rollouts over HTTP and from the command line, and that other owners know nothing of them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from api_server import problem
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.operations.loading.load import load_domain
from re2llm.runtime.services import Services
from rollouts import body, two_releases
from typer.testing import CliRunner

CANARY = "/v1/releases:canary"


@pytest.fixture
async def released(services: Services, domain: str) -> str:
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(20, seed=1)])
    await two_releases(services, domain)
    return domain


@pytest.mark.long
async def test_a_canary_from_start_to_end(http: httpx.AsyncClient, released: str) -> None:
    where = {"domain": released}
    assert problem(await http.get(CANARY, params=where), 422)["field"] == "domain"
    plan = {"release": 2, "steps": [30, 100], "hold": 7, "window": 60, **where}
    shown = (await http.post(CANARY, json=plan)).raise_for_status().json()
    assert (shown["state"], shown["percent"], shown["plan"]["hold"]) == ("running", 30, 7)
    assert problem(await http.post(CANARY, json=plan), 422)["field"] == "release"
    policies: dict[int, set[str]] = {}
    for person in [*range(12), *range(12)]:
        made = (await http.post("/v1/recommend", json=body(released, person))).raise_for_status()
        policies.setdefault(person, set()).add(made.json()["hint"]["policy"])
    assert all(len(seen) == 1 for seen in policies.values())
    shown = (await http.get(CANARY, params=where)).json()
    canaries = sum(seen == {"ppo:2"} for seen in policies.values())
    assert shown["canary_counts"]["exposures"] == 2 * canaries
    assert shown["control_counts"]["people"] == 12 - canaries
    assert (await http.post("/v1/releases:stop-canary", json=where)).json()["state"] == "stopped"
    (await http.post(CANARY, json=plan)).raise_for_status()
    promoted = (await http.post("/v1/releases:promote-canary", json=where)).json()
    assert (promoted["state"], promoted["percent"]) == ("promoted", 100)
    late = problem(await http.post("/v1/releases:stop-canary", json=where), 422)
    assert (late["field"], "was promoted" in late["detail"]) == ("release", True)
    listed = (await http.get("/v1/releases/2", params=where)).json()
    assert (listed["status"], listed["rollout"]["number"]) == ("active", 2)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("steps", {"steps": [5, 1]}),
        ("steps", {"steps": []}),
        ("steps", {"steps": [100]}),
        ("hold", {"hold": 0}),
        ("goal", {"goal": "cheaper"}),
        ("release", {"release": 0}),
        ("release", {"release": 1}),
    ],
)
async def test_what_cannot_be_rolled_out_is_refused(
    http: httpx.AsyncClient, released: str, field: str, given: dict[str, Any]
) -> None:
    asked = {"release": 2, "domain": released, **given}
    assert field in problem(await http.post(CANARY, json=asked), 422)["field"]


async def test_what_is_not_as_the_caller_believes_is_not_changed(
    http: httpx.AsyncClient, released: str
) -> None:
    where = {"domain": released}
    (await http.post(CANARY, json={"release": 2, **where})).raise_for_status()
    for change in ("stop", "promote"):
        sent = {"release": 1, **where}
        refused = problem(await http.post(f"/v1/releases:{change}-canary", json=sent), 422)
        assert refused["field"] == "release"
        assert "Release 2 is being rolled out, not release 1." in refused["detail"]
    assert (await http.get(CANARY, params=where)).json()["state"] == "running"
    sent = {"release": 2, **where}
    promoted = (await http.post("/v1/releases:promote-canary", json=sent)).json()
    assert (promoted["state"], promoted["release"]) == ("promoted", 2)
    back = {"active": 2, **where}
    rolled = await http.post("/v1/releases:rollback", json=back)
    assert rolled.raise_for_status().json()["id"] == 1
    again = problem(await http.post("/v1/releases:rollback", json=back), 422)
    assert (again["field"], again["detail"]) == (
        "active",
        "Release 2 is not active: release 1 is. Nothing was changed.",
    )
    assert (await http.get("/v1/releases/1", params=where)).json()["status"] == "active"


async def test_a_user_may_not_be_long(http: httpx.AsyncClient, released: str) -> None:
    asked = body(released, 0, user="x" * 201)
    assert problem(await http.post("/v1/recommend", json=asked), 422)["field"] == "user"


async def test_a_key_of_another_domain_sees_and_stops_nothing(
    http: httpx.AsyncClient, released: str, make_key: Any
) -> None:
    (await http.post(CANARY, json={"release": 2, "domain": released})).raise_for_status()
    other = await make_key(may=("learn",))
    where = {"domain": released}
    for answer in (
        await http.get(CANARY, params=where, headers=other),
        await http.post(CANARY, json={"release": 2, **where}, headers=other),
        await http.post("/v1/releases:stop-canary", json=where, headers=other),
        await http.post("/v1/releases:promote-canary", json=where, headers=other),
    ):
        assert problem(answer, answer.status_code)["field"] == "domain"
    assert (await http.get(CANARY, params=where)).json()["state"] == "running"


def test_the_command_says_what_is_missing() -> None:
    for words in (
        ["canary"],
        ["canary", "--status", "--stop"],
        ["canary", "2", "--stop"],
        ["canary", "2", "--steps", "a,b"],
        ["canary", "2", "--steps", "0,5", "--shadow"],
    ):
        done = CliRunner().invoke(app, ["policy", *words])
        assert done.exit_code == 1, words
        assert "error:" in done.output


@pytest.mark.long
async def test_the_command_starts_shows_and_stops(
    services: Services, released: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    def command(*words: str) -> str:
        done = CliRunner().invoke(app, ["policy", "canary", *words, "--domain", released])
        assert done.exit_code == 0, done.output
        return done.output

    assert "nothing to stop" in await asyncio.to_thread(command, "--stop")
    assert "\nnull\n" in await asyncio.to_thread(command, "--stop", "--json")
    started = await asyncio.to_thread(command, "2", "--steps", "0,5,100", "--json")
    assert json.loads(started)["plan"]["steps"] == [0, 5, 100]
    assert "0 of 500 exposures" in await asyncio.to_thread(command, "--status")
    assert "stopped" in await asyncio.to_thread(command, "--stop")
    assert "stopped" in await asyncio.to_thread(command, "--stop")
