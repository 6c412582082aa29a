"""A request that is sent twice with the same idempotency key is done once."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Any, cast

import httpx
import pytest
from api_server import problem
from pydantic import Field, create_model
from pydantic_core import to_json
from re2llm.data.sample import load_films
from re2llm.interfaces.api import jobs as job_routes
from re2llm.interfaces.api.jobs import JobBody
from re2llm.interfaces.api.requests import FeedbackBody, KeyedBody
from re2llm.knowledge.idempotent_answers import claim_answer, keep_answer, release_claim
from re2llm.runtime.services import Services
from sqlalchemy import text

HISTORY = [load_films()[0].id]


async def made(http: httpx.AsyncClient, headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer = await http.post("/v1/recommend", json={"history": HISTORY}, headers=headers)
    return answer.raise_for_status().json()


def body_of(recommendation: dict[str, Any], rank: int = 0) -> dict[str, Any]:
    return {
        "recommendation_id": recommendation["recommendation_id"],
        "picked": recommendation["items"][rank]["id"],
        "learn": False,
    }


async def send(
    http: httpx.AsyncClient, key: str, body: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    sent = {**(headers or {}), "idempotency-key": key}
    return await http.post("/v1/feedback", json=body, headers=sent)


async def test_the_same_request_gets_the_same_answer(http: httpx.AsyncClient) -> None:
    key, body = str(uuid.uuid4()), body_of(await made(http))
    first = await send(http, key, body)
    assert first.json()["new"] is True
    for _ in range(2):
        assert (await send(http, key, body)).json() == first.json()
    assert (await send(http, str(uuid.uuid4()), body)).json()["new"] is False


async def test_another_request_with_the_same_key_is_refused(http: httpx.AsyncClient) -> None:
    key, recommendation = str(uuid.uuid4()), await made(http)
    (await send(http, key, body_of(recommendation))).raise_for_status()
    refused = await send(http, key, body_of(recommendation, 1))
    assert problem(refused, 422)["field"] == "Idempotency-Key"


async def test_twenty_at_once_are_done_once(http: httpx.AsyncClient) -> None:
    key, body = str(uuid.uuid4()), body_of(await made(http))
    answers = await asyncio.gather(*(send(http, key, body) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["new"] for answer in answers} == {True}


async def test_a_request_that_failed_may_be_sent_again(http: httpx.AsyncClient) -> None:
    key, body = str(uuid.uuid4()), body_of(await made(http))
    wrong = {**body, "picked": "no such film at all"}
    for _ in range(2):
        assert problem(await send(http, key, wrong), 422)["field"] == "picked"
    assert (await send(http, key, body)).raise_for_status().json()["new"] is True


async def test_a_key_belongs_to_one_caller(http: httpx.AsyncClient, make_key: Any) -> None:
    key = str(uuid.uuid4())
    for headers in (None, await make_key(), await make_key()):
        body = body_of(await made(http, headers))
        stored = (await send(http, key, body, headers)).raise_for_status().json()
        assert stored["new"] is True
        assert stored["recommendation_id"] == body["recommendation_id"]


@pytest.mark.parametrize(
    ("body", "digest"),
    [
        (JobBody(kind="learn", domain="films"), "3e2d717a33db"),
        (JobBody(kind="train", max_llm_calls=5, max_cost=0.5), "b66fc90118ae"),
        (FeedbackBody(recommendation_id="x", picked="y"), "916175b889ab"),
    ],
)
def test_a_key_stands_for_a_body_whatever_fields_are_added(body: KeyedBody, digest: str) -> None:
    """Clients may send a request again after an update of the server."""
    assert hashlib.sha256(to_json(body.told_apart_by())).hexdigest().startswith(digest)
    later: Any = create_model(
        "Later",
        __base__=type(body),
        careful=(bool, True),
        tags=(list[str], Field(default_factory=list)),
        note=(str | None, None),
    )
    sent = body.model_dump(exclude_defaults=True)
    assert later(**sent).told_apart_by() == body.told_apart_by()
    for other in ({"careful": False}, {"tags": ["a"]}, {"note": ""}):
        assert later(**sent, **other).told_apart_by() != body.told_apart_by()


def test_the_id_of_a_job_stays_that_of_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_routes, "caller_of", lambda _: None)
    asked = JobBody(kind="learn", domain="films")
    assert job_routes._job_id(cast("Any", None), "k", asked) == "learn-53fd29037f9236bf"
    left = JobBody(kind="train", domain="films", activate=False)
    assert left.told_apart_by() != JobBody(kind="train", domain="films").told_apart_by()


async def test_a_key_is_a_short_plain_text(http: httpx.AsyncClient) -> None:
    body = body_of(await made(http))
    for key in ("x" * 201, "", "a b"):
        assert problem(await send(http, key, body), 422)["field"] == "Idempotency-Key"


async def test_a_claim_without_an_answer_expires_and_so_does_an_answer(services: Services) -> None:
    source, key = "local", str(uuid.uuid4())

    async def claimed(digest: bytes = b"1") -> Any:
        async with services.engine.begin() as connection:
            return await claim_answer(connection, source, key, digest)

    async def expire() -> None:
        async with services.engine.begin() as connection:
            await connection.execute(
                text("UPDATE re2llm.idempotent_answer SET expires_at = now() - interval '1 s'")
            )

    assert (await claimed()).state == "ours"
    assert (await claimed()).state == "busy"
    assert (await claimed(b"2")).state == "other"
    await expire()
    assert (await claimed(b"2")).state == "ours"
    async with services.engine.begin() as connection:
        await keep_answer(connection, source, key, b"1", {"late": True})  # of the first one
    assert (await claimed(b"2")).state == "busy"
    async with services.engine.begin() as connection:
        await keep_answer(connection, source, key, b"2", {"done": True})
        await release_claim(connection, source, key)  # there is an answer, so nothing happens
    done = await claimed(b"2")
    assert (done.state, done.answer) == ("done", {"done": True})
    await expire()
    assert (await claimed()).state == "ours"
