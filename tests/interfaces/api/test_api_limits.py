"""Limits of keys: what is left, and 429 when nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from api_server import problem, serving_api
from fault_server import FaultServer, backwards
from keyed_runs import IDS, own_model
from re2llm.errors import LimitReachedError, error_from
from re2llm.interfaces.api import problems
from re2llm.knowledge.access import allowances
from re2llm.knowledge.access.grants import Grants
from re2llm.runtime import allowance
from re2llm.runtime.caller import Caller
from re2llm.runtime.services import Services
from sqlalchemy import Date, cast, func, literal_column, text

BODY = {"history": IDS[:2], "candidates": IDS[10:16]}


@pytest.fixture
def model() -> Iterator[FaultServer]:
    with FaultServer(backwards).running() as model:
        yield model


async def test_what_is_left_of_a_minute_is_in_the_headers(
    http: httpx.AsyncClient, make_key: Any
) -> None:
    headers = await make_key(requests_per_minute=1_000_000)
    answers = [await http.get("/v1/hints", headers=headers) for _ in range(2)]
    for answer in answers:
        assert answer.headers["ratelimit-policy"] == '"requests";q=1000000;w=60'
        left, seconds = answer.headers["ratelimit"].removeprefix('"requests";r=').split(";t=")
        assert 999_990 < int(left) < 1_000_000
        assert 0 < int(seconds) <= 60
    unlimited = await http.get("/v1/hints", headers=await make_key())
    assert "ratelimit" not in unlimited.headers


async def test_too_many_requests_in_a_minute(http: httpx.AsyncClient, make_key: Any) -> None:
    headers = await make_key(requests_per_minute=5)
    answers = await asyncio.gather(
        *(http.get("/v1/hints", headers=headers) for _ in range(16))  # over a minute's end: 10
    )
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) >= 6
    for answer in refused:
        found = problem(answer, 429)
        assert found["type"] == "urn:re2llm:limit"
        assert found["limits"] == {"requests_per_minute": {"limit": 5, "left": 0}}
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert answer.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert (await http.get("/healthz", headers=headers)).status_code == 200


async def test_each_row_of_a_batch_counts_as_a_request(
    http: httpx.AsyncClient, make_key: Any
) -> None:
    headers = await make_key(requests_per_minute=4)
    rows = {"requests": [{"history": IDS[:1], "k": 1}] * 10}
    found = (await http.post("/v1/recommend:batch", json=rows, headers=headers)).json()["rows"]
    statuses = [row["problem"]["status"] if "problem" in row else 200 for row in found]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) <= 8  # over a minute's end


async def test_a_spent_day_says_what_is_left(
    model: FaultServer, adjust: Callable[..., None], make_key: Any
) -> None:
    name = own_model(model, adjust)
    adjust(prices={name: (1.0, 1.0)}, call_cache=False)
    headers = await make_key(may=("metrics",), calls_per_day=2, usd_per_day=1_000_000.0)
    with serving_api() as address:
        async with httpx.AsyncClient(base_url=address, timeout=60, headers=headers) as http:
            for _ in range(2):
                (await http.post("/v1/recommend", json=BODY)).raise_for_status()
            answer = await http.post("/v1/recommend", json=BODY)
            found = problem(answer, 429)
            stream = {"accept": "text/event-stream"}
            async with http.stream("POST", "/v1/recommend", json=BODY, headers=stream) as events:
                text = (await events.aread()).decode()
            counted = (await http.get("/metrics")).text
    assert found["field"] == "calls_per_day"
    assert found["limits"]["calls_per_day"] == {"limit": 2, "left": 0}
    assert 0 < found["limits"]["usd_per_day"]["left"] < 1_000_000
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    assert "event: problem" in text
    assert '"calls_per_day":{"limit":2' in text
    assert len(model.asked) == 2
    assert 're2llm_model_requests_total{answered="yes"}' in counted


@pytest.mark.parametrize(
    ("now", "midnight", "seconds"),
    [
        ("2031-05-31 23:58:30.5+00", "2031-06-01", 90),
        ("2031-06-01 00:02:00+00", "2031-06-02", 86_280),
        ("2031-06-01 01:30:00+03", "2031-06-01", 5_400),
    ],
)
@pytest.mark.parametrize(
    ("limit", "daily"), [("calls_per_day", True), ("usd_per_day", True), ("revoked", False)]
)
async def test_only_a_daily_limit_makes_a_client_wait_for_the_next_day_of_the_database(
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    now: str,
    midnight: str,
    seconds: int,
    limit: Any,
    *,
    daily: bool,
) -> None:
    """A server's own clock may be of another day."""
    there = literal_column(f"timestamptz '{now}'")
    today = cast(func.timezone("UTC", there), Date)
    monkeypatch.setattr(allowances, "TODAY", today)
    monkeypatch.setattr(allowances, "_NOW", there)
    async with services.engine.connect() as connection:
        await connection.execute(text("SET LOCAL TIME ZONE 'America/Lima'"))
        again = await allowances.next_day(connection)
    spent = allowance._spent(
        Caller("shop", "key", (), Grants(calls_per_day=1, usd_per_day=1.0)), limit, again
    )
    told = error_from(spent.as_dict())
    assert problems._seconds_to_wait(told) == (seconds if daily else problems.RETRY_AFTER)
    assert (f"at {midnight} 00:00 UTC" in told.remedy) == daily


def test_other_limits_make_it_wait_a_little() -> None:
    titles = LimitReachedError("titles", "is used up.", "Wait.")
    assert problems._seconds_to_wait(error_from(titles.as_dict())) == problems.RETRY_AFTER
