"""Every route of the API over real HTTP, with good requests and bad ones."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx
import orjson
import pytest
from api_server import problem
from re2llm.data.sample import load_films
from re2llm.errors import InputError, NotThereError
from re2llm.interfaces import gate
from re2llm.interfaces.api import application, health
from re2llm.interfaces.api.application import create_app
from re2llm.interfaces.api.problems import ProblemError, problem_of
from re2llm.interfaces.api.strict_routes import LARGEST_BODY
from re2llm.interfaces.json_sizes import DEEPEST, LONGEST_LIST, MOST_KEYS, MOST_PARTS
from re2llm.records import Item

FILM = load_films()[0]
POSTS = {
    "/v1/recommend": {"history": [FILM.id]},
    "/v1/recommend:batch": {"requests": [{"history": [FILM.id]}]},
    "/v1/feedback": {"recommendation_id": "x"},
    "/v1/rate": {"item": {"title": "Mug"}},
    "/v1/items:search": {"query": "Alien"},
    "/v1/items:withdraw": {"items": [FILM.id]},
    "/v1/hints": {"text": "Prefer what is new."},
    "/v1/hints:approve": {"hints": [1]},
    "/v1/hints:retire": {"hints": [1]},
    "/v1/hints:tidy": {},
    "/v1/releases:activate": {"release": 1},
    "/v1/releases:rollback": {},
    "/v1/releases:canary": {"release": 1},
    "/v1/releases:stop-canary": {},
    "/v1/releases:promote-canary": {},
    "/v1/autopilot": {"calls_per_day": 5},
    "/v1/autopilot:off": {},
    "/v1/autopilot:resume": {},
    "/v1/autopilot:run-once": {},
}


async def recommended(http: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await http.post("/v1/recommend", json={"history": [FILM.id], "k": 3, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_address_alone_leads_somewhere(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=60) as program:
        listed = (await program.get("/")).raise_for_status().json()
        assert listed.pop("name") == "re2llm"
        known = (await program.get(listed["openapi"])).raise_for_status().json()["paths"]
        assert {listed[name] for name in ("recommend", "health", "ready")} <= set(known)
        assert "text/html" in (await program.get(listed["console"])).headers["content-type"]
        assert (await program.post(listed["mcp"])).status_code != 404
        other = problem(await program.get("/v1/recommend"), 405)
        assert other["remedy"] == "This route takes: POST."
        browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        led = await program.get("/", headers=browser)
        assert (led.status_code, led.headers["location"]) == (303, "/console")


async def test_an_entrance_behind_a_proxy_keeps_its_path() -> None:
    proxied = httpx.ASGITransport(create_app(), root_path="/recommender")
    async with httpx.AsyncClient(transport=proxied, base_url="http://127.0.0.1") as client:
        listed = (await client.get("/recommender/")).raise_for_status().json()
        assert listed["recommend"] == "/recommender/v1/recommend"
        led = await client.get("/recommender/", headers={"accept": "text/html"})
        assert led.headers["location"] == "/recommender/console"
        lost = problem(await client.get("/recommender/nowhere"), 404)
        assert lost["remedy"] == "`GET /recommender/openapi.json` lists all."


async def test_an_entrance_lists_only_what_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "_mount_mcp", lambda _: None)  # as without the extra
    bare = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=bare, base_url="http://127.0.0.1") as client:
        assert "mcp" not in (listed := (await client.get("/")).json())
        assert listed["recommend"] == "/v1/recommend"


async def test_a_recommendation_and_its_feedback(http: httpx.AsyncClient, films: str) -> None:
    made = await recommended(http, domain=films)
    assert [item["rank"] for item in made["items"]] == [1, 2, 3]
    picked = {"recommendation_id": made["recommendation_id"], "picked": made["items"][1]["title"]}
    stored = (await http.post("/v1/feedback", json=picked)).raise_for_status().json()
    assert (stored["rank"], stored["new"]) == (2, True)
    again = await http.post("/v1/feedback", json={**picked, "picked": made["items"][0]["id"]})
    assert problem(again, 422)["field"] == "picked"


async def test_what_does_not_exist_is_named(http: httpx.AsyncClient) -> None:
    for body, field in (
        ({"history": ["no such film at all"]}, "history"),
        ({"history": [FILM.id], "domain": "nowhere"}, "domain"),
        ({"history": [FILM.id], "candidates": ["no such film at all"]}, "candidates"),
    ):
        assert problem(await http.post("/v1/recommend", json=body), 422)["field"] == field


async def test_ids_may_be_whole_numbers(
    http: httpx.AsyncClient, domain: str, load: Callable[..., Any]
) -> None:
    await load(domain, [Item(id=str(n), title=f"Tea {n}") for n in range(5)])
    made = await recommended(http, domain=domain, history=[1], candidates=[2, 3, "4"])
    assert made["history"] == ["1"]
    picked = {"recommendation_id": made["recommendation_id"], "picked": 3, "domain": domain}
    (await http.post("/v1/feedback", json=picked)).raise_for_status()
    refused = await http.post("/v1/recommend", json={"history": [True], "domain": domain})
    assert problem(refused, 422)["field"] == "history.0"


async def test_a_number_that_nothing_can_hold_is_named(http: httpx.AsyncClient) -> None:
    sent = {"content-type": "application/json"}
    for number in ("1e5000", "9" * 5_000, "-" + "9" * 5_000):
        for path, body, field in (
            ("/v1/recommend", '{"history": ["x", %s]}', "history.1"),
            ("/v1/feedback", '{"recommendation_id": "x", "picked": %s}', "picked"),
            ("/v1/recommend:batch", '{"requests": [{"history": [%s]}]}', "requests.0.history.0"),
        ):
            answer = await http.post(path, content=body % number, headers=sent)
            assert problem(answer, 422)["field"] == field
        call = (
            '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"k": ' + number + "}}"
        )
        refused = await http.post("/mcp", content=call, headers=sent)
        assert refused.status_code == 400
        assert refused.json()["error"]["message"] == "params.k: The number is too large."


async def test_a_bad_row_of_a_batch_does_not_end_the_others(http: httpx.AsyncClient) -> None:
    rows = [
        {"history": [FILM.id], "k": 1},
        {"history": "x"},
        7,
        {"history": [FILM.id], "unknown": 1},
        {"history": [FILM.id], "domain": "nowhere"},
        {"history": [FILM.id], "k": 2},
    ]
    answer = await http.post("/v1/recommend:batch", json={"requests": rows})
    found = answer.raise_for_status().json()["rows"]
    assert [row["index"] for row in found] == list(range(6))
    assert [row.get("problem", {}).get("field") for row in found] == [
        *(None, "history", "body", "unknown", "domain", None)
    ]
    assert [len(row["answer"]["items"]) for row in found if "answer" in row] == [1, 2]
    many = {"requests": [{"history": [FILM.id]}] * 101}
    assert problem(await http.post("/v1/recommend:batch", json=many), 422)["field"] == "requests"


async def test_a_rating_is_predicted_over_http(http: httpx.AsyncClient) -> None:
    history = [{"title": "Cup", "rating": 4}, {"title": "Bowl", "rating": 2}]
    body = {"item": {"title": "Mug"}, "history": history}
    rated = (await http.post("/v1/rate", json=body)).raise_for_status().json()
    assert 1 <= rated["rating"] <= 5
    history[0]["rating"] = 9
    problem(await http.post("/v1/rate", json=body), 422)
    wrong = {"item": {"title": "Mug", "titel": "x"}}
    assert problem(await http.post("/v1/rate", json=wrong), 422)["field"] == "item.titel"


async def test_items_and_domains_are_shown_over_http(http: httpx.AsyncClient, films: str) -> None:
    found = await http.post("/v1/items:search", json={"query": FILM.title})
    assert found.raise_for_status().json()["items"][0]["title"] == FILM.title
    shown = (await http.get(f"/v1/items/{FILM.id}", params={"count": 2})).json()
    assert (shown["id"], len(shown["neighbours"])) == (FILM.id, 2)
    assert problem(await http.get("/v1/items/no%20such%20film"), 404)["field"] == "item"
    gone = await http.get(f"/v1/items/{FILM.id}", params={"domain": "nowhere"})
    assert problem(gone, 422)["field"] == "domain"
    listed = (await http.get("/v1/domains")).raise_for_status().json()["domains"]
    assert films in {domain["name"] for domain in listed}


async def test_items_are_withdrawn(http: httpx.AsyncClient, load: Any, domain: str) -> None:
    await load(domain, [Item(f"i{n}", f"Thing {n}", {}) for n in range(4)])
    body = {"items": ["i1", "Thing 2"], "domain": domain}
    done = (await http.post("/v1/items:withdraw", json=body)).raise_for_status().json()
    assert [item["id"] for item in done["items"]] == ["i1", "i2"]
    assert done["withdrawn"] == 2
    shown = (await http.get("/v1/items/i1", params={"domain": domain})).json()
    assert shown["withdrawn"] is True
    unknown = {"items": ["i3", "No such thing"], "domain": domain}
    assert problem(await http.post("/v1/items:withdraw", json=unknown), 422)["field"] == "items"
    problem(await http.post("/v1/items:withdraw", json={"items": [], "domain": domain}), 422)


async def test_whole_numbers_are_ids_wherever_a_body_names_items(
    http: httpx.AsyncClient, load: Any, domain: str
) -> None:
    await load(domain, [Item(str(n), f"Thing {n}", {}) for n in range(6)])
    body = {"history": [0], "candidates": [1, "2", 3], "domain": domain}
    made = (await http.post("/v1/recommend", json=body)).raise_for_status().json()
    picked = {"recommendation_id": made["recommendation_id"], "picked": 1, "domain": domain}
    stored = (await http.post("/v1/feedback", json=picked)).raise_for_status().json()
    assert stored["picked"] == "1"
    done = await http.post("/v1/items:withdraw", json={"items": [4, "5"], "domain": domain})
    assert [item["id"] for item in done.raise_for_status().json()["items"]] == ["4", "5"]
    for wrong in (True, 1.5, None, ""):
        body = {"items": [wrong], "domain": domain}
        assert problem(await http.post("/v1/items:withdraw", json=body), 422)["field"] == "items.0"


async def test_what_a_path_names_is_there_though_more_is_wrong(
    http: httpx.AsyncClient, load: Any, domain: str
) -> None:
    await load(domain, [Item(id_, "Twin", {}) for id_ in ("a", "b")])
    refused = problem(await http.get("/v1/items/Twin", params={"domain": domain}), 422)
    assert "could be: Twin [a]; Twin [b]" in refused["detail"]


@pytest.mark.parametrize(
    ("kind", "named", "status"),
    [(InputError, {"job": "x"}, 422), (NotThereError, {"job": "x"}, 404), (NotThereError, {}, 422)],
)
def test_not_found_is_only_what_the_path_names_and_does_not_exist(
    kind: type[InputError], named: dict[str, str], status: int
) -> None:
    told, _ = problem_of(kind("job", "It is.", "Leave it."), {"path_params": named})
    assert told.status == status


async def test_hints_are_added_paged_approved_and_retired(
    http: httpx.AsyncClient, load: Any, domain: str
) -> None:
    await load(domain, [Item(f"i{n}", f"Thing {n}", {}) for n in range(4)])
    texts = ["Prefer what is new.", "Prefer what is short.", "Prefer what is loud."]
    for text in texts:
        added = await http.post("/v1/hints", json={"text": text, "domain": domain})
        assert added.raise_for_status().json()["outcome"] == "stored"
    where = {"domain": domain}
    page = (await http.get("/v1/hints", params={**where, "count": 2})).json()
    assert [hint["text"] for hint in page["hints"]] == texts[:2]
    rest = (await http.get("/v1/hints", params={**where, "after": page["next"]})).json()
    assert [hint["text"] for hint in rest["hints"]] == texts[2:]
    assert rest["next"] is None
    ids = [hint["id"] for hint in page["hints"]]
    retired = await http.post("/v1/hints:retire", json={"hints": ids, "reason": "Old.", **where})
    assert retired.json() == {"hints": ids, "status": "retired"}
    active = (await http.get("/v1/hints", params={**where, "status": "active"})).json()
    assert [hint["text"] for hint in active["hints"]] == texts[2:]
    await http.post("/v1/hints:approve", json={"hints": ids[:1], **where})
    story = (await http.get(f"/v1/hints/{ids[0]}", params=where)).raise_for_status().json()
    assert (story["status"], story["provenance"]["source"]) == ("active", "person")
    assert problem(await http.get("/v1/hints/2000000000", params=where), 404)["field"] == "hint"
    tidied = await http.post("/v1/hints:tidy", json={"dry_run": True, **where})
    document = tidied.raise_for_status().json()
    assert (document["dry_run"], document["changed"], document["llm_calls"]) == (True, [], 0)
    assert {hint["standing"] for hint in document["kept"]} == {"undecided"}
    unknown = {"hints": [ids[0], 2_000_000_000], **where}
    assert problem(await http.post("/v1/hints:retire", json=unknown), 422)["field"] == "hints"
    problem(await http.post("/v1/hints", json={"text": " ", **where}), 422)
    problem(await http.post("/v1/hints:retire", json={"hints": ids, "reason": "\0"}), 422)


async def test_releases(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/releases")).raise_for_status().json()["releases"] == []
    assert problem(await http.get("/v1/releases/1"), 404)["field"] == "release"
    activate = await http.post("/v1/releases:activate", json={"release": 1})
    assert problem(activate, 422)["field"] == "release"
    assert problem(await http.post("/v1/releases:rollback", json={}), 422)["field"] == "domain"


async def test_health_needs_nothing_and_readiness_the_database(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    for path in ("/healthz", "/readyz"):  # as many monitors ask
        assert (await http.head(path)).status_code == 200
    assert (await http.get("/readyz")).json() == {"status": "ready"}


@pytest.mark.parametrize("path", POSTS)
async def test_every_body_is_strict_json_of_a_limited_size(
    http: httpx.AsyncClient, path: str
) -> None:
    good = orjson.dumps(POSTS[path])
    json = {"content-type": "application/json"}

    async def send(content: bytes, headers: dict[str, str] = json) -> httpx.Response:
        return await http.post(path, content=content, headers=headers)

    for broken in (b"{", b"[NaN]", b'{"k":Infinity}', b"\xff", b'"\\ud800"', b"[" * 5_000):
        problem(await send(broken), 400)
    for other in (b"[]", b"7", b'"x"', b"null"):
        problem(await send(other), 422)
    unknown = orjson.dumps({**POSTS[path], "unknown": 1})
    assert problem(await send(unknown), 422)["field"] == "unknown"
    twice = problem(await send(b'{"key": 1, "key": 2}'), 422)
    assert (twice["field"], "more than once" in twice["detail"]) == ("key", True)
    for many in (
        {f"key{number}": 1 for number in range(MOST_KEYS + 1)},
        {"history": [1] * (LONGEST_LIST + 1)},
        {"history": [[[]] * 1_000] * (MOST_PARTS // 1_000)},
    ):
        found = problem(await send(orjson.dumps(many)), 422)
        assert (found["field"], found.get("errors")) == ("body", None)
    deep = b'{"history":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}"
    assert problem(await send(deep), 422)["field"] == "body"
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        problem(await send(good, {"content-type": media}), 415)
    problem(await send(good, {}), 415)
    problem(await send(b" " * (LARGEST_BODY + 1)), 413)
    read_too = path in {"/v1/hints", "/v1/releases:canary", "/v1/autopilot"}
    problem(await http.put(path) if read_too else await http.get(path), 405)


async def test_a_body_without_a_declared_size_is_limited_too(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/recommend HTTP/1.1\r\nhost: {host}:{port}\r\n"
        "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    )
    part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(LARGEST_BODY // 0x10000 + 1):
        writer.write(part)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    assert int((await reader.readline()).split()[1]) == 413
    writer.close()


async def test_every_field_has_limits(http: httpx.AsyncClient) -> None:
    too_much = [
        ("/v1/recommend", {"history": ["x" * 2_001]}, "history.0"),
        ("/v1/recommend", {"history": ["x"] * 10_001}, "history"),
        ("/v1/recommend", {"history": []}, "history"),
        ("/v1/recommend", {"history": [FILM.id], "k": 0}, "k"),
        ("/v1/recommend", {"history": [FILM.id], "k": 10**40}, "k"),
        ("/v1/recommend", {"history": [FILM.id], "seed": -1}, "seed"),
        ("/v1/recommend", {"history": [FILM.id], "policy": "evil"}, "policy"),
        ("/v1/recommend", {"history": [FILM.id], "domain": "x" * 501}, "domain"),
        ("/v1/items:search", {"query": ""}, "query"),
        ("/v1/hints:approve", {"hints": [2**31]}, "hints.0"),
    ]
    for path, body, field in too_much:
        found = problem(await http.post(path, json=body), 422)
        assert found["field"] == field
        assert found["errors"][0]["field"] == field
    for path in ("/v1/hints?count=0", "/v1/hints/0", "/v1/hints/x", "/v1/releases/9999999999"):
        problem(await http.get(path), 422)


@pytest.mark.parametrize("path", ["/v1", "/v2", "/v1/recommend/", "/docs", "/v1/x", "/.env"])
async def test_an_unknown_route_is_a_problem(http: httpx.AsyncClient, path: str) -> None:
    unknown = problem(await http.get(path), 404)
    assert unknown["detail"] == "There is no such route."
    assert unknown["remedy"] == "`GET /openapi.json` lists all."


async def test_mcp_is_served_beside_it(http: httpx.AsyncClient) -> None:
    pytest.importorskip("mcp", reason="needs the extra `mcp`")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call["params"] = {"name": "recommend", "arguments": {"history": [FILM.id], "k": 1}}
    headers = {"accept": "application/json, text/event-stream"}
    answer = (await http.post("/mcp", json=call, headers=headers)).raise_for_status().json()
    assert len(answer["result"]["structuredContent"]["items"]) == 1


async def test_the_document_describes_every_problem(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).raise_for_status().json()
    routes = [
        route
        for path, methods in document["paths"].items()
        if path.startswith("/v1")
        for route in methods.values()
    ]
    assert len(routes) >= 15
    for route in routes:
        for status in ("401", "404", "405", "422", "429", "500", "503"):
            content = route["responses"][status]["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["example"]["status"] == int(status)
    assert "Problem" in document["components"]["schemas"]
    referred = set(orjson.dumps(document).decode().split('"#/components/schemas/')[1:])
    for name in {part.split('"')[0] for part in referred}:
        assert name in document["components"]["schemas"], name


async def test_a_request_id_is_echoed_if_it_is_plain(http: httpx.AsyncClient) -> None:
    for sent, kept in (("order-7.b_2", True), (str(uuid.uuid4()), True), ("a b", False)):
        for path in ("/healthz", "/v1/items/no%20such%20film", "/nowhere"):
            answer = await http.get(path, headers={"x-request-id": sent})
            assert (answer.headers["x-request-id"] == sent) is kept
    made = {(await http.get("/healthz")).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3


def test_no_path_keeps_the_server_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    layers: list[str] = []

    def counted(path: str) -> str:
        layers.append(path)
        return unquote(path)

    monkeypatch.setattr(gate, "unquote", counted)
    with pytest.raises(ProblemError):
        gate._segments({"path": f"/v1/%{'25' * 30_000}41"})
    assert len(layers) < 10
    assert gate._segments({"path": "/v1/items/100%2525"}) == ["v1", "items", "100%"]


@pytest.mark.parametrize("model", ["\0", "openai:a\0b"])
async def test_a_model_that_no_database_holds_is_refused(
    http: httpx.AsyncClient, model: str
) -> None:
    answer = await http.post("/v1/recommend", json={"history": ["Alien"], "model": model})
    assert problem(answer, 422)["field"] == "model"


async def test_readiness_takes_one_look_at_a_time(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    async def look() -> str:
        looks.append(1)
        await asyncio.sleep(0.05)
        return ""

    monkeypatch.setattr(health, "_look", look)
    monkeypatch.setattr(health, "_FRESH", 60.0)
    monkeypatch.setattr(health._Finding, "until", 0.0)
    answers = await asyncio.gather(*(http.get("/readyz") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) == 1
