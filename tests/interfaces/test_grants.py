"""What a key was granted is all that a run with it may use, whatever its context says."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from fault_server import FaultServer
from keyed_runs import HOSTILE, OTHER, asking, own_model, run, sums
from re2llm.errors import InputError
from re2llm.graph.recommend import graph
from re2llm.interfaces.gate import Gate
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import create_key
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.context_checks import checked, granted
from re2llm.runtime.services import Services
from re2llm.runtime.sharing import ServiceSet
from sqlalchemy import text


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def model(server: FaultServer, adjust: Callable[..., None]) -> str:
    return own_model(server, adjust)


CALLERS = {"domain", "domains", "policy", "seed"}
"""Take effect for every key, within limits."""
GRANTED = {"model", "reflect_model"}
"""Take effect where the key was granted the model."""
SERVERS = {
    *("prompt", "fuse", "prompt_order", "orders", "reflection_batch", "order", "record"),
    *("in_rollout", "hint_id", "hint", "budget", "services", "caller", "questions"),
    *("serving_state", "past_session", "command"),
}
"""Never take effect for a key."""


# What a context says


def test_every_option_is_the_callers_granted_or_the_servers() -> None:
    classes = (CALLERS, GRANTED, SERVERS)
    assert {field.name for field in fields(Context)} == set.union(*classes)
    assert sum(map(len, classes)) == len(fields(Context))


@pytest.mark.parametrize("name", sorted(CALLERS | GRANTED | SERVERS))
async def test_no_option_changes_what_is_not_granted(
    name: str, services: Services, server: FaultServer, model: str, keyed: Callable[..., Any]
) -> None:
    caller = await keyed()
    values = [*HOSTILE, Budget(max_llm_calls=0), ServiceSet, caller]
    answers = await asyncio.gather(
        *(run(graph, caller, asking(), {name: value}) for value in values)
    )
    for answer in answers:
        if answer.get("error"):
            assert name in CALLERS
            assert answer["error"]["kind"] == "input", answer["error"]
            assert answer["error"]["field"].split(".")[0] in {name, "domain"}
            assert len(str(answer["error"])) < 1000
        else:
            assert answer["model"] == model
    assert name in CALLERS or not any(answer.get("error") for answer in answers)
    asked = {asked.body["model"] for asked in server.asked}
    assert asked <= {model.removeprefix("openai:")}
    assert len(server.asked) <= (3 if name == "seed" else 1)
    requests, models, commands = await sums(services, caller)
    assert requests == len(server.asked)
    assert models <= {model}
    assert commands <= {"graph"}


async def test_a_granted_model_is_served_and_no_other(
    server: FaultServer, model: str, keyed: Callable[..., Any]
) -> None:
    mine = f"openai:mine-{uuid.uuid4().hex[:8]}"
    caller = await keyed(models=(mine,))
    for given, used in ((mine, mine), (OTHER, model), (None, model)):
        answer = await run(graph, caller, asking(), {"model": given})
        assert answer["model"] == used
    asked = [asked.body["model"] for asked in server.asked]
    assert asked == [mine.removeprefix("openai:"), model.removeprefix("openai:")]


def test_a_user_without_grants_has_none() -> None:
    user = {"identity": "x", "domains": ["films"]}
    context = granted(Context(model=OTHER, orders=9, command="x", record=False), user)
    assert (context.model, context.orders, context.command, context.record) == (
        None,
        None,
        "graph",
        True,
    )
    assert context.caller is not None
    assert context.caller.grants == Grants()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("orders", 1500),
        ("orders", 0),
        ("order", -1),
        ("seed", -1),
        ("seed", 2**64),
        ("seed", float("nan")),
        ("model", "x" * 1000),
        ("hint_id", 2**40),
        ("policy", "none of these"),
        ("command", "x" * 1000),
        ("domains", "films"),
        ("budget", 5),
    ],
)
def test_options_have_limits_without_a_key_too(name: str, value: Any) -> None:
    with pytest.raises(InputError) as raised:
        checked(Context(**{name: value}))
    assert raised.value.field == name


@pytest.mark.parametrize("name", ["calls_per_day", "usd_per_day", "requests_per_minute"])
@pytest.mark.parametrize("number", [0, 3 * 10**9, float("nan")])
def test_a_limit_that_cannot_be_kept_is_told_both_ends(name: str, number: float) -> None:
    limits: dict[str, Any] = {name: number}
    with pytest.raises(InputError) as raised:
        Grants(**limits).check()
    assert raised.value.field == name
    assert "above 0" in raised.value.remedy
    assert "2147483647 at most" in raised.value.remedy


def test_a_budget_stays_the_same_object() -> None:
    budget = Budget(max_llm_calls=3)
    assert checked(Context(budget=budget)).budget is budget


async def test_requests_a_minute_are_counted_before_any_route(
    services: Services, films: str
) -> None:
    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films], Grants(requests_per_minute=3))
        second = await connection.scalar(text("SELECT extract(second FROM clock_timestamp())"))
    if float(second or 0) > 50:
        await asyncio.sleep(61 - float(second or 0))
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append((message["status"], dict(message["headers"]).get(b"retry-after")))

    def scope(key: str) -> dict[str, Any]:
        headers = [(b"authorization", f"Bearer {key}".encode())]
        return {"type": "http", "path": "/threads", "headers": headers}

    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    await asyncio.gather(*(Gate(app)(scope(wrong), None, send) for _ in range(5)))
    assert [status for status, _ in sent] == [200] * 5  # that key is `auth`'s to refuse
    sent.clear()
    await asyncio.gather(*(Gate(app)(scope(key), None, send) for _ in range(10)))
    assert sorted(status for status, _ in sent) == [200] * 3 + [429] * 7
    assert all(1 <= int(after) <= 60 for status, after in sent if status == 429)


@pytest.mark.parametrize(
    ("grants", "field"),
    [
        ({"models": (" ",)}, "models"),
        ({"may": ("fly",)}, "may"),
        ({"calls_per_day": 0}, "calls_per_day"),
        ({"calls_per_day": 2**40}, "calls_per_day"),
        ({"usd_per_day": float("nan")}, "usd_per_day"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
    ],
)
def test_a_grant_that_cannot_be_kept_is_refused(grants: Any, field: str) -> None:
    with pytest.raises(InputError) as raised:
        Grants(**grants).check()
    assert raised.value.field == field
