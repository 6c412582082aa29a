"""What a server counts and logs of its requests, and what it does not."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest
from api_server import problem
from re2llm.data.sample import load_films
from re2llm.interfaces.api.logs import JsonFormatter, log_config
from re2llm.interfaces.api.metrics import count_call
from re2llm.interfaces.api.tracing import telemetry
from re2llm.knowledge.log.llm_calls import LlmCall

FILM = load_films()[0].id


async def numbers(http: httpx.AsyncClient) -> dict[str, float]:
    lines = (await http.get("/metrics")).raise_for_status().text.splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


async def gained(http: httpx.AsyncClient, before: dict[str, float]) -> dict[str, float]:
    after = await numbers(http)
    return {
        name: value - before.get(name, 0.0)
        for name, value in after.items()
        if value != before.get(name, 0.0) and "bucket" not in name and "_sum" not in name
    }


async def test_requests_are_counted_by_route_and_status(http: httpx.AsyncClient) -> None:
    before = await numbers(http)
    for _ in range(3):
        await http.post("/v1/recommend", json={"history": [FILM], "k": 1})
    for number in range(4):
        await http.get(f"/v1/hints/{2_000_000_000 + number}")
        await http.get(f"/nowhere/{number}")
    await http.get("/openapi.json")
    await http.get("/mcp")
    gain = await gained(http, before)

    def requests(method: str, route: str, status: int) -> float:
        labels = f'{{method="{method}",route="{route}",status="{status}"}}'
        return gain[f"re2llm_http_requests_total{labels}"]

    assert requests("POST", "/v1/recommend", 200) == 3
    assert requests("GET", "/v1/hints/{hint}", 404) == 4
    assert requests("GET", "unknown", 404) == 4
    assert requests("GET", "/openapi.json", 200) == 1
    assert requests("GET", "/mcp", 405) == 1
    assert gain["re2llm_recommendations_total"] == 3
    assert gain["re2llm_ranking_calls_total"] == 3
    assert gain['re2llm_http_request_duration_seconds_count{route="/v1/recommend"}'] == 3


async def test_no_label_is_of_a_clients_choice(http: httpx.AsyncClient) -> None:
    for word in ("zymurgy", "xylorimba"):
        await http.post("/v1/recommend", json={"history": [word], "domain": word})
        await http.get(f"/v1/items/{word}?domain={word}")
    await http.request("PROPFIND", "/v1/recommend")
    text = (await http.get("/metrics")).text
    assert "zymurgy" not in text.lower()
    assert "xylorimba" not in text.lower()
    assert "PROPFIND" not in text
    assert 'method="OTHER"' in text


async def test_paid_calls_are_counted(http: httpx.AsyncClient) -> None:
    before = await numbers(http)
    call = LlmCall(
        key=b"", command="graph", purpose="rank", model="m", method="", outcome="ok", answer=None,
        requests=2, tokens_in=30, tokens_out=4, estimated=False, latency_ms=1.0, cost=0.25,
    )  # fmt: skip
    count_call(call)
    gain = await gained(http, before)
    assert gain['re2llm_model_requests_total{answered="yes"}'] == 2
    assert gain['re2llm_model_tokens_total{direction="in"}'] == 30
    assert gain['re2llm_model_tokens_total{direction="out"}'] == 4
    assert gain["re2llm_model_cost_total"] == 0.25


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the server logs, as JSON; it fills up."""
    found: list[dict[str, Any]] = []

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(self.format(record)))

    reader = Reader()
    reader.setFormatter(JsonFormatter())
    caplog.set_level(logging.INFO, "re2llm")
    logging.getLogger("re2llm").addHandler(reader)
    yield found
    logging.getLogger("re2llm").removeHandler(reader)


async def test_a_request_is_logged_without_its_body_and_key(
    http: httpx.AsyncClient, make_key: Any, lines: list[dict[str, Any]]
) -> None:
    headers = {**await make_key(), "x-request-id": "order-66"}
    key = headers["authorization"].removeprefix("Bearer ")
    body = {"history": [FILM], "k": 1}
    await http.post("/v1/recommend?token=abracadabra", json=body, headers=headers)
    (line,) = [line for line in lines if line.get("request_id") == "order-66"]
    assert line["message"] == "POST /v1/recommend 200"
    assert (line["route"], line["status"], line["level"]) == ("/v1/recommend", 200, "INFO")
    assert line["key"] == key.split("_")[1]
    assert line["ms"] > 0
    text = json.dumps(lines)
    secret = key.split("_", 2)[2]  # which may hold a `_`, too
    for hidden in (key, secret, FILM, "abracadabra"):
        assert hidden not in text


async def test_a_wrong_key_is_not_logged(
    http: httpx.AsyncClient, lines: list[dict[str, Any]]
) -> None:
    for headers in ({"authorization": "Bearer re2llm_0_abracadabra"}, {"x-api-key": "abracadabra"}):
        await http.get("/v1/hints", headers={**headers, "via": "1.1 proxy"})
    assert len([line for line in lines if line.get("status") == 401]) == 2
    assert "abracadabra" not in json.dumps(lines)


async def test_probes_are_not_logged(http: httpx.AsyncClient, lines: list[dict[str, Any]]) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await http.get(path)).status_code == 200
    assert [line for line in lines if "route" in line] == []


async def test_a_bug_is_logged_and_its_answer_says_nothing_of_it(
    http: httpx.AsyncClient, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("abracadabra")

    monkeypatch.setattr("re2llm.interfaces.api.items.search_items", broken)
    answer = await http.post("/v1/items:search", json={"query": "Alien"})
    found = problem(answer, 500)
    assert found["type"] == "urn:re2llm:internal"
    assert "abracadabra" not in answer.text
    (line,) = [line for line in lines if "trace" in line]
    assert line["request_id"] == found["request_id"]
    assert "abracadabra" in line["trace"]


def test_other_libraries_are_logged_from_warnings_on() -> None:
    config = log_config("INFO")
    assert config["root"]["level"] == "WARNING"
    assert config["loggers"]["re2llm"]["level"] == "INFO"


def test_traces_are_sent_only_where_the_settings_ask_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert telemetry()["tracing"] is False
    assert telemetry()["auto_configure"] is False
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra `otel`")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    asked = telemetry()
    assert (asked["tracing"], asked["auto_configure"]) == (True, True)
    assert (asked["metrics"], asked["logs"]) == (False, False)
