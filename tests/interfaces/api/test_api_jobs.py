"""Jobs over HTTP: submitted, looked at, stopped and started again, by those who may."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from api_server import problem
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import DatabaseError
from re2llm.jobs.queue.control import jobs
from re2llm.operations.hints.manage import add_hint
from re2llm.records import Item, Session
from re2llm.runtime.context import Context


@pytest.mark.long
async def test_a_job_is_submitted_shown_paused_resumed_and_cancelled(
    http: httpx.AsyncClient, load: Any, domain: str
) -> None:
    items = [Item(str(number), f"Thing {number}", {}) for number in range(5)]
    await load(domain, items, [Session(("0",), "1")])
    asked = {"kind": "verify", "domain": domain, "max_llm_calls": 7, "max_cost": None}
    made = (await http.post("/v1/jobs", json=asked)).raise_for_status().json()
    assert (made["kind"], made["domain"], made["state"]) == ("verify", domain, "running")
    assert (made["llm_calls"], made["max_llm_calls"], made["attempt"]) == (0, 7, 1)
    assert "`re2llm worker`" in made["note"]
    job = {"job": made["id"]}
    listed = (await http.get("/v1/jobs", params={"domain": domain, "state": "running"})).json()
    assert made["id"] in [one["id"] for one in listed["jobs"]]
    # What was asked for may be megabytes, and a list has a thousand jobs: it is not even read.
    [kept] = await jobs(Context(domain=domain), domain=domain)
    assert not hasattr(kept.job, "arguments")
    assert not hasattr(kept.job, "result")
    shown = (await http.get(f"/v1/jobs/{made['id']}")).json()
    assert shown["arguments"]["hints"] == []
    for change, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        changed = (await http.post(f"/v1/jobs:{change}", json=job)).raise_for_status().json()
        assert (changed["id"], changed["state"]) == (made["id"], state)
    refused = problem(await http.post("/v1/jobs:retry", json=job), 422)
    assert (refused["field"], refused["remedy"]) == ("job", "Submit a new one.")


async def test_a_training_can_leave_its_release_inactive(
    http: httpx.AsyncClient, load: Any, domain: str
) -> None:
    await load(domain, sample_items(), simulate_sessions(14, seed=5))
    for text in ("Prefer what is new.", "Prefer the same director."):
        await add_hint(Context(domain=domain), text)
    asked = {"kind": "train", "domain": domain, "activate": False}
    for sent, activates in ((asked, False), ({"kind": "train", "domain": domain}, True)):
        made = (await http.post("/v1/jobs", json=sent)).raise_for_status().json()
        shown = (await http.get(f"/v1/jobs/{made['id']}")).json()
        assert shown["arguments"]["activate"] is activates
    other = {"kind": "verify", "domain": domain, "activate": False}
    assert problem(await http.post("/v1/jobs", json=other), 422)["field"] == "activate"


async def test_a_job_that_is_submitted_again_with_its_idempotency_key_is_one_job(
    http: httpx.AsyncClient, load: Any, domain: str
) -> None:
    items = [Item(str(number), f"Thing {number}", {}) for number in range(5)]
    await load(domain, items, [Session(("0",), "1")])
    asked = {"kind": "verify", "domain": domain, "max_llm_calls": 7}
    headers = {"idempotency-key": f"nightly-{domain}"}
    first = await http.post("/v1/jobs", json=asked, headers=headers)
    again = await asyncio.gather(
        *(http.post("/v1/jobs", json=asked, headers=headers) for _ in range(5))
    )
    assert {answer.text for answer in again} == {first.raise_for_status().text}
    other = await http.post("/v1/jobs", json={**asked, "max_llm_calls": 8}, headers=headers)
    assert problem(other, 422)["field"] == "Idempotency-Key"
    [kept] = await jobs(Context(domain=domain), domain=domain)
    assert kept.job.id == first.json()["id"]
    await http.post("/v1/jobs", json=asked)
    assert len(await jobs(Context(domain=domain), domain=domain)) == 2
    operation = (await http.get("/openapi.json")).json()["paths"]["/v1/jobs"]["post"]
    assert [one["name"] for one in operation["parameters"]] == ["Idempotency-Key"]
    assert "409" in operation["responses"]


async def test_a_job_whose_answer_was_lost_is_found_again_by_its_key(
    http: httpx.AsyncClient, load: Any, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [Item(str(number), f"Thing {number}", {}) for number in range(5)]
    await load(domain, items, [Session(("0",), "1")])

    async def lost(*_: object) -> None:
        raise DatabaseError("database", "It went away.", "Try again.")

    asked = {"kind": "verify", "domain": domain}
    headers = {"idempotency-key": f"lost-{domain}"}
    with monkeypatch.context() as patched:
        patched.setattr("re2llm.jobs.queue.control.job", lost)
        assert problem(await http.post("/v1/jobs", json=asked, headers=headers), 503)
    made = (await http.post("/v1/jobs", json=asked, headers=headers)).raise_for_status().json()
    [kept] = await jobs(Context(domain=domain), domain=domain)
    assert kept.job.id == made["id"]


async def test_a_job_that_was_refused_may_be_submitted_again_with_its_key(
    http: httpx.AsyncClient, load: Any, domain: str
) -> None:
    asked = {"kind": "verify", "domain": domain}
    headers = {"idempotency-key": f"later-{domain}"}
    assert problem(await http.post("/v1/jobs", json=asked, headers=headers), 422)
    items = [Item(str(number), f"Thing {number}", {}) for number in range(5)]
    await load(domain, items, [Session(("0",), "1")])
    made = await http.post("/v1/jobs", json=asked, headers=headers)
    assert made.raise_for_status().json()["domain"] == domain


@pytest.mark.parametrize("job", ["none-such", "x" * 200, "%00"])
async def test_a_job_that_is_not_there_is_not_found(http: httpx.AsyncClient, job: str) -> None:
    assert problem(await http.get(f"/v1/jobs/{job}"), 404)["field"] == "job"


@pytest.mark.parametrize("domain", ["nowhere", "\0", "fi\0lms"])
async def test_a_list_of_jobs_of_no_catalogue_says_so_as_other_lists_do(
    http: httpx.AsyncClient, films: str, make_key: Any, domain: str
) -> None:
    elsewhere = await make_key(films)
    for headers in (None, elsewhere):
        asked = {"params": {"domain": domain}, "headers": headers}
        told = [await http.get(path, **asked) for path in ("/v1/jobs", "/v1/hints")]
        listed, hints = (problem(answer, 422) | {"request_id": ""} for answer in told)
        assert "There is no domain" in listed["detail"]
        assert listed == hints


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "evaluate"},
        {"kind": "learn", "max_hints": 0},
        {"kind": "learn", "max_cost": -1},
        {"kind": "learn", "domain": "nowhere"},
        {"kind": "learn", "command": "rm"},
        {},
    ],
)
async def test_a_job_that_cannot_be_is_refused(
    http: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    problem(await http.post("/v1/jobs", json=body), 422)


@pytest.mark.parametrize(
    ("kind", "sessions", "said"),
    [
        ("learn", 0, "no training sessions"),
        ("train", 0, "0 active hints and 0 training sessions"),
        ("train", 9, "0 active hints and 9 training sessions"),
    ],
)
async def test_a_job_that_has_too_little_to_work_on_is_refused_as_its_operation_is(
    http: httpx.AsyncClient, load: Any, domain: str, kind: str, sessions: int, said: str
) -> None:
    items = [Item(str(number), f"Thing {number}", {}) for number in range(5)]
    await load(domain, items, [Session(("0",), str(1 + n % 4)) for n in range(sessions)])
    refused = problem(await http.post("/v1/jobs", json={"kind": kind, "domain": domain}), 422)
    assert said in refused["detail"]
    assert (await http.get("/v1/jobs", params={"domain": domain})).json() == {"jobs": []}


async def test_a_key_starts_jobs_only_where_its_spending_is_counted(
    http: httpx.AsyncClient, films: str, make_key: Any
) -> None:
    asked = {"kind": "verify", "domain": films}
    without = await make_key()
    limited = [
        await make_key(may=("learn",), calls_per_day=100),
        await make_key(may=("learn",), usd_per_day=1.0),
    ]
    for headers in (without, *limited):
        answer = await http.post("/v1/jobs", json=asked, headers=headers)
        assert problem(answer, 403)["field"] == "key"
    allowed = await make_key(may=("learn",))
    made = (await http.post("/v1/jobs", json=asked, headers=allowed)).raise_for_status().json()
    job = {"job": made["id"]}
    assert (await http.get(f"/v1/jobs/{made['id']}", headers=without)).status_code == 200
    problem(await http.post("/v1/jobs:pause", json=job, headers=without), 403)
    (await http.post("/v1/jobs:pause", json=job, headers=limited[0])).raise_for_status()
    for change in ("resume", "retry"):
        problem(await http.post(f"/v1/jobs:{change}", json=job, headers=limited[0]), 403)
    (await http.post("/v1/jobs:cancel", json=job, headers=allowed)).raise_for_status()
