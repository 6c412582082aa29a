"""The same error on the command line, over HTTP, in Python and over MCP: each in its own words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import re2llm
from api_server import problem
from re2llm.cli import app
from re2llm.commands.option_names import in_options, spelled_by, stated
from re2llm.data.sample import load_films
from re2llm.errors import InputError, Re2llmError
from re2llm.interfaces.mcp_server import build_server
from re2llm.records import Item, Session
from typer.main import get_command
from typer.testing import CliRunner

FILM = load_films()[0].id


def on_command_line(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 1, done.output
    return done.stderr.strip().removeprefix("error: ")


def in_python(call: Callable[[re2llm.Re2llm], object], domain: str) -> Re2llmError:
    with re2llm.Re2llm(domain=domain) as host, pytest.raises(Re2llmError) as raised:
        call(host)
    return raised.value


async def test_a_plan_without_a_limit(http: httpx.AsyncClient, films: str) -> None:
    sent = problem(await http.post("/v1/autopilot", json={"domain": films}), 422)
    assert sent["field"] == "usd_per_day"
    assert sent["remedy"] == "Give `usd_per_day` or `calls_per_day`."
    raised = await asyncio.to_thread(in_python, lambda host: host.autopilot_on(), films)
    assert (raised.field, raised.problem, raised.remedy) == (
        *(sent["field"], sent["detail"], sent["remedy"]),
    )
    line = await asyncio.to_thread(on_command_line, "autopilot", "on", "--domain", films)
    assert line == f"--budget-usd: {raised.problem} Give --budget-usd or --budget-calls."


async def test_an_item_that_is_not_known(http: httpx.AsyncClient, films: str) -> None:
    wrong: dict[str, Any] = {"history": [FILM], "candidates": [FILM, "zzzz-9"], "domain": films}
    sent = problem(await http.post("/v1/recommend", json=wrong), 422)
    assert sent["field"] == "candidates"
    raised = await asyncio.to_thread(
        in_python, lambda host: host.recommend([FILM], candidates=[FILM, "zzzz-9"]), films
    )
    assert (raised.field, raised.problem) == (sent["field"], sent["detail"])
    words = ("recommend", FILM, "--candidate", FILM, "--candidate", "zzzz-9", "--domain", films)
    line = await asyncio.to_thread(on_command_line, *words)
    assert line == f"--candidate: {raised.problem} {raised.remedy}"
    words = ("recommend", "zzzz-9", "--domain", films)
    assert (await asyncio.to_thread(on_command_line, *words)).startswith("ITEM: ")


async def test_an_item_that_is_not_known_over_mcp(films: str) -> None:
    memory = pytest.importorskip("mcp.shared.memory", reason="needs the extra `mcp`")
    async with memory.create_connected_server_and_client_session(build_server()) as client:
        wrong = {"history": [FILM], "candidates": [FILM, "zzzz-9"], "domain": films}
        told = await client.call_tool("recommend", wrong)
    assert told.isError
    assert "candidates: " in told.content[0].text
    assert "--" not in told.content[0].text


def test_a_domain_that_is_not_there(films: str) -> None:
    del films  # another one is there
    raised = in_python(lambda host: host.find_titles(["Alien"]), "no-such")
    assert raised.field == "domain"
    line = on_command_line("hints", "list", "--domain", "no-such")
    assert line == f"--domain: {raised.problem} {raised.remedy}"
    assert on_command_line("domains", "delete", "no-such", "--yes").startswith("DOMAIN: ")


@pytest.fixture
async def small(load: Any, domain: str) -> str:
    items = [Item(str(number), f"Thing {number}", {}) for number in range(5)]
    await load(domain, items, [Session(("0",), "1")])
    return domain


SENT: list[tuple[str, dict[str, Any]]] = [
    ("hints:approve", {"hints": [1]}),
    ("hints:retire", {"hints": [2_000_000_000]}),
    ("hints", {"text": " "}),
    ("releases:activate", {"release": 1}),
    ("releases:rollback", {}),
    ("releases:canary", {"release": 1}),
    ("releases:canary", {"release": 1, "steps": [50, 20]}),
    ("releases:stop-canary", {}),
    ("releases:promote-canary", {}),
    ("autopilot", {}),
    ("autopilot", {"calls_per_day": 5, "cron": "daily"}),
    ("autopilot:resume", {}),
    ("autopilot:run-once", {}),
    ("jobs:retry", {"job": "learn-none"}),
    ("recommend", {"history": ["nothing like it"]}),
    ("recommend", {"history": ["0"], "candidates": ["1"]}),
    ("feedback", {"recommendation_id": "x"}),
    ("rate", {"item": {"title": "Tin"}, "lowest": 5, "highest": 1}),
]


@pytest.mark.long
async def test_a_field_over_http_is_one_that_was_or_can_be_sent(
    http: httpx.AsyncClient, small: str
) -> None:
    document = (await http.get("/openapi.json")).json()
    bodies = document["components"]["schemas"]
    strange: list[Any] = []
    refused = 0
    for route, sent in SENT:
        taken = document["paths"][f"/v1/{route}"]["post"]["requestBody"]["content"]
        name = taken["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        fields = bodies[name]["properties"]
        where = {"domain": small} if "domain" in fields else {}
        answer = (await http.post(f"/v1/{route}", json={**sent, **where})).json()
        refused += answer.get("status") in {404, 422}
        if answer.get("field", "domain") not in fields:
            strange.append((route, sent, answer))
    for path, named in (
        ("releases:canary", "domain"),
        ("releases/9", "release"),
        ("hints/9", "hint"),
        ("items/none", "item"),
    ):
        answer = (await http.get(f"/v1/{path}", params={"domain": small})).json()
        if answer.get("field") != named:
            strange.append((path, answer))
    assert strange == []
    assert refused >= len(SENT) - 1


def command(*words: str) -> Any:
    found: Any = get_command(app)
    for word in words:
        found = found.commands[word]
    return found


def test_a_field_is_called_as_the_running_commands_option() -> None:
    error = InputError("max_llm_calls", "It is 0.", "Raise `max_llm_calls`, or leave `batch` out.")
    assert stated(error) == str(error)
    with spelled_by(command("train").params):
        assert (
            stated(error)
            == "--max-llm-calls: It is 0. Raise --max-llm-calls, or leave --batch out."
        )
        assert (
            in_options("Run `re2llm train`; see `nothing`.") == "Run `re2llm train`; see `nothing`."
        )
    with spelled_by(command("jobs", "schedule").params):
        assert stated(InputError("kind", "It is x.", "")) == "KIND: It is x."
    assert stated(error) == str(error)


LONG = "x" * 2_001
MISFITS: list[tuple[dict[str, Any], str, str]] = [
    ({"a": LONG}, "item.attributes.a", "at most 2000 characters"),
    ({"a": 1e20}, "item.attributes.a", "less than or equal to 1000000000000000"),
    ({"a": ["b", LONG]}, "item.attributes.a.1", "at most 2000 characters"),
    ({LONG: 1}, f"item.attributes.{LONG[:40]}.[key]", "at most 2000 characters"),
    ({"list[of": 1e20}, "item.attributes.list[of", "less than or equal to"),
    ({"constrained-a": 1e20}, "item.attributes.constrained-a", "less than or equal to"),
    ({str(n): n for n in range(300)}, "item.attributes", "at most 200 items"),
]


@pytest.mark.parametrize(("attributes", "field", "said"), MISFITS)
async def test_a_value_of_several_types_is_told_once_by_its_own_name(
    http: httpx.AsyncClient, attributes: dict[str, Any], field: str, said: str
) -> None:
    body = {"item": {"title": "Mug", "attributes": attributes}}
    sent = problem(await http.post("/v1/rate", json=body), 422)
    assert sent["field"] == field
    assert said in sent["detail"]
    assert [one["field"] for one in sent["errors"]] == [field]
    raised = await asyncio.to_thread(in_python, lambda host: host.rate(body), "films")
    # Of a text that is too long, the list is named, as for an id that is not known.
    assert raised.field == field.removesuffix(".1").removesuffix(".[key]") or raised.field == field
    assert said in raised.problem


@pytest.mark.parametrize(
    ("route", "body", "field", "known"),
    [
        ("recommend", {"history": ["0"], "top": 3}, "top", {"`history`", "`k`", "`user`"}),
        ("recommend:batch", {"requests": [{"top": 3}]}, "top", {"`history`", "`k`"}),
        ("rate", {"item": {"title": "Tin", "year": 1}}, "item.year", {"`title`", "`attributes`"}),
        ("jobs", {"kind": "train", "top": 3}, "top", {"`activate`", "`max_cost`"}),
    ],
)
async def test_a_field_that_does_not_exist_is_told_with_those_that_do(
    http: httpx.AsyncClient, route: str, body: dict[str, Any], field: str, known: set[str]
) -> None:
    answer = await http.post(f"/v1/{route}", json=body)
    sent = answer.json()["rows"][0]["problem"] if "requests" in body else problem(answer, 422)
    [told] = [one["detail"] for one in sent["errors"] if one["field"] == field]
    assert told.startswith("There is no such field. There are `")
    assert known <= {*told.removesuffix(".").replace(",", "").split()}
    assert sent["remedy"] == "`GET /openapi.json` describes the request."


async def test_a_whole_number_that_is_too_large(http: httpx.AsyncClient, films: str) -> None:
    body = '{"domain": "%s", "history": ["%s"], "k": 1e20}' % (films, FILM)  # noqa: UP031
    sent = {"content": body, "headers": {"content-type": "application/json"}}
    refused = problem(await http.post("/v1/recommend", **sent), 422)
    assert (refused["field"], refused["detail"]) == ("k", "k: The number is too large.")
