"""Who may use the API, over every route of its own document."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from api_server import problem, serving_api
from re2llm.data.sample import load_films
from re2llm.interfaces.api.options import ServeOptions
from re2llm.jobs.queue.submit import submit
from re2llm.knowledge.access.keys import revoke_key
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import list_hints
from re2llm.operations.hints.manage import add_hint
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

FILM = load_films()[0].id
OPEN = {"/", "/healthz", "/readyz"}
WRITES = {
    *("/v1/hints", "/v1/hints:approve", "/v1/hints:retire", "/v1/hints:tidy"),
    *("/v1/releases:activate", "/v1/releases:rollback"),
    *("/v1/releases:canary", "/v1/releases:stop-canary", "/v1/releases:promote-canary"),
    *("/v1/autopilot", "/v1/autopilot:off", "/v1/autopilot:resume", "/v1/autopilot:run-once"),
    *("/v1/jobs", "/v1/jobs:pause", "/v1/jobs:cancel", "/v1/jobs:resume", "/v1/jobs:retry"),
}
"""What changes the domain for everyone; of `/v1/hints` and `/v1/jobs`, their POST."""
_CHANGES = ("pause", "cancel", "resume", "retry")
TITLE = "Quinquereme"
PROXY = {"x-forwarded-for": "192.0.2.1"}
"""What comes through a proxy needs a key."""


@pytest_asyncio.fixture
async def routes(http: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Every method and path of the document."""
    document = (await http.get("/openapi.json")).json()
    found = [
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    ]
    assert len(found) >= 18
    return [*found, ("GET", "/openapi.json"), ("POST", "/mcp")]


@pytest_asyncio.fixture
async def victim(load: Any, domain: str, services: Services) -> dict[str, Any]:
    """Another owner's domain, with a recommendation and a hint."""
    items = [Item(f"secret-{n}", f"{TITLE} {n}", {}) for n in range(8)]
    ids = tuple(item.id for item in items)
    await load(domain, items, [Session(ids[:2], ids[2])])
    await add_hint(Context(), "Prefer what is zymurgical.", domain=domain)
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        (hint,) = await list_hints(connection, found.id)
    job = await submit(Context(domain=domain), "verify", {})
    return {"domain": domain, "hint": hint.id, "item": ids[0], "job": job.id}


def asked(victim: dict[str, Any], recommendation: str) -> dict[str, Any]:
    """A body for each POST that asks for what is the victim's."""
    where = {"domain": victim["domain"]}
    return {
        "/v1/recommend": {"history": [victim["item"]], **where},
        "/v1/recommend:batch": {"requests": [{"history": [victim["item"]], **where}]},
        "/v1/feedback": {"recommendation_id": recommendation, **where},
        "/v1/rate": {"item": {"title": "Mug"}},
        "/v1/items:search": {"query": TITLE, **where},
        "/v1/items:withdraw": {"items": [victim["item"]], **where},
        "/v1/hints": {"text": "Prefer what is new.", **where},
        "/v1/hints:approve": {"hints": [victim["hint"]], **where},
        "/v1/hints:retire": {"hints": [victim["hint"]], **where},
        "/v1/hints:tidy": where,
        "/v1/releases:activate": {"release": 1, **where},
        "/v1/releases:rollback": where,
        "/v1/releases:canary": {"release": 1, **where},
        "/v1/releases:stop-canary": where,
        "/v1/releases:promote-canary": where,
        "/v1/autopilot": {"calls_per_day": 5, **where},
        **{f"/v1/autopilot:{do}": where for do in ("off", "resume", "run-once")},
        "/v1/jobs": {"kind": "verify", **where},
        **{f"/v1/jobs:{do}": {"job": victim["job"]} for do in _CHANGES},
        "/mcp": {},
    }


def filled(path: str, victim: dict[str, Any]) -> str:
    values = {"hint": str(victim["hint"]), "item": victim["item"], "release": "1"}
    values["job"] = victim["job"]
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: values[found[1]], path)


async def test_no_route_answers_without_a_key_that_works(
    http: httpx.AsyncClient, routes: list[tuple[str, str]], victim: dict[str, Any]
) -> None:
    wrong = {"authorization": "Bearer re2llm_0000_wrong"}
    for method, path in routes:
        for headers in (PROXY, {**PROXY, **wrong}, wrong, {"origin": "https://evil.example"}):
            answer = await http.request(method, filled(path, victim), headers=headers, json={})
            if path in OPEN:
                assert answer.status_code == 200, path
            else:
                problem(answer, 401)


async def test_no_cache_before_the_server_keeps_what_is_for_one_key(
    http: httpx.AsyncClient, films: str, make_key: Any
) -> None:
    key = (await make_key(may=("metrics",)))["authorization"].partition(" ")[2]
    headers = {**PROXY, "x-api-key": key}
    for path, status in (
        *(("/v1/hints", 200), ("/v1/domains", 200), (f"/v1/items/{FILM}", 200)),
        *(("/v1/jobs", 200), ("/v1/jobs/none", 404), ("/nowhere", 404), ("/metrics", 200)),
    ):
        answer = await http.get(path, headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert (await http.get("/v1/hints", headers=PROXY)).headers["cache-control"] == "no-store"


async def test_a_public_server_asks_this_machine_too(
    films: str, make_key: Any, routes: list[tuple[str, str]], victim: dict[str, Any]
) -> None:
    with serving_api(ServeOptions(public=True)) as address:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            for method, path in routes:
                if path not in OPEN:
                    problem(await http.request(method, filled(path, victim), json={}), 401)
            headers = await make_key()
            assert (await http.get("/v1/hints", headers=headers)).status_code == 200


async def test_a_key_reads_the_numbers_of_all_owners_only_with_the_right(
    http: httpx.AsyncClient, make_key: Any
) -> None:
    plain = await make_key(may=("learn", "export", "load"))
    for path in ("/metrics", "/metrics/", "/%6detrics"):
        answer = await http.get(path, headers=plain)
        assert problem(answer, 403)["field"] == "key"
        assert "re2llm_" not in answer.text
    granted = await make_key(may=("metrics",))
    assert "re2llm_http_requests_total" in (await http.get("/metrics", headers=granted)).text


@pytest.mark.long
async def test_what_is_anothers_is_answered_like_what_does_not_exist(
    http: httpx.AsyncClient,
    routes: list[tuple[str, str]],
    victim: dict[str, Any],
    make_key: Any,
    services: Services,
) -> None:
    body = {"history": [victim["item"]], "domain": victim["domain"]}
    made = (await http.post("/v1/recommend", json=body)).raise_for_status().json()
    headers = {**PROXY, **await make_key(may=("learn",))}
    bodies = asked(victim, made["recommendation_id"])
    nowhere = asked({**victim, "domain": "nowhere"}, made["recommendation_id"])
    seen = 0
    for method, path in routes:
        if not path.startswith("/v1") or path in {"/v1/rate", "/v1/domains"}:
            continue
        answers = []
        for domain, its in ((victim["domain"], bodies), ("nowhere", nowhere)):
            answers.append(
                await http.request(
                    method,
                    filled(path, victim),
                    headers=headers,
                    json=its[path] if method == "POST" else None,
                    params={"domain": domain} if method == "GET" else None,
                )
            )
        hers, none = answers
        assert hers.status_code == none.status_code, path
        changing = r"'(nowhere|test-\w+)'|[0-9a-f]{32}"
        assert re.sub(changing, "", hers.text) == re.sub(changing, "", none.text), path
        assert TITLE not in hers.text
        assert made["recommendation_id"] not in hers.text or path == "/v1/feedback"
        seen += 1
    assert seen >= 14
    listed = (await http.get("/v1/domains", headers=headers)).json()["domains"]
    assert victim["domain"] not in {found["name"] for found in listed}
    async with services.engine.connect() as connection:
        found = await find_domain(connection, victim["domain"])
        (hint,) = await list_hints(connection, found.id)
    assert hint.status == "active"


@pytest.mark.long
async def test_a_key_changes_hints_and_releases_only_with_the_right(
    http: httpx.AsyncClient,
    routes: list[tuple[str, str]],
    victim: dict[str, Any],
    make_key: Any,
) -> None:
    bodies = asked(victim, "x")
    without = {**PROXY, **await make_key(victim["domain"])}
    may = {**PROXY, **await make_key(victim["domain"], may=("learn",))}
    tried = 0
    for method, path in routes:
        if method != "POST" or path not in WRITES:
            continue
        found = problem(await http.post(path, json=bodies[path], headers=without), 403)
        assert "--may learn" in found["remedy"]
        assert (await http.post(path, json=bodies[path], headers=may)).status_code in {200, 422}
        tried += 1
    assert tried == len(WRITES)
    withdrawn = "/v1/items:withdraw"
    for headers in (without, may):
        found = problem(await http.post(withdrawn, json=bodies[withdrawn], headers=headers), 403)
        assert "--may load" in found["remedy"]
    loader = {**PROXY, **await make_key(victim["domain"], may=("load",))}
    done = await http.post(withdrawn, json=bodies[withdrawn], headers=loader)
    assert done.raise_for_status().json()["withdrawn"] == 1
    assert (await http.get("/v1/hints", headers=without)).status_code == 200


async def test_a_model_that_was_not_granted_is_as_if_it_was_not_sent(
    http: httpx.AsyncClient, make_key: Any
) -> None:
    headers = {**PROXY, **await make_key()}
    body = {"history": [FILM], "model": "openai:o1-pro"}
    made = (await http.post("/v1/recommend", json=body, headers=headers)).raise_for_status()
    assert made.json()["model"] == "offline"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/internal/truncate",
            "//v1/../internal",
            "/v1/%2e%2e/internal",
            "/threads",
            "/runs/wait",
        ),
        *("/runs/wait", "/store/items", "/noauth/v1/hints", "/ok", "/info"),
    ],
)
async def test_no_other_route_is_there(http: httpx.AsyncClient, make_key: Any, path: str) -> None:
    problem(await http.get(path, headers={**PROXY, **await make_key()}), 404)


CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/hints", {"text": "Prefer films of thieves who were caught."}),
        ("/v1/recommend", {"history": [FILM]}),
        ("/mcp", {**CALL, "params": {"name": "list_hints", "arguments": {}}}),
    ],
)
async def test_a_request_that_ends_after_its_key_was_revoked_is_refused(
    http: httpx.AsyncClient,
    make_key: Any,
    films: str,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: dict[str, Any],
) -> None:
    monkeypatch.setattr("re2llm.interfaces.late_bodies.LATE", 0.0)
    headers = await make_key(may=("learn",))
    whole = json.dumps(body if path == "/mcp" else {**body, "domain": films}).encode()

    async def parts() -> AsyncIterator[bytes]:
        yield whole[:-1]
        await asyncio.sleep(0.3)  # until the headers are checked
        async with services.engine.begin() as connection:
            await revoke_key(connection, headers["authorization"].split("_")[1])
        yield whole[-1:]

    more = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    answer = await http.post(path, content=parts(), headers={**headers, **more})
    assert answer.status_code == 401, answer.text
    listed = (await http.get("/v1/hints", params={"domain": films})).text
    assert "thieves who were caught" not in listed
