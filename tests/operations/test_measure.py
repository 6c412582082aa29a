"""What a model adds is measured on training sessions, and serves from then on."""

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from langchain_core.messages import BaseMessage
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError, ModelDownError
from re2llm.graph.recommend import graph
from re2llm.knowledge.serving_state import ServingQuery, serving_state
from re2llm.operations.first_stage.fit import fit_first_stage
from re2llm.operations.first_stage.measure import measure
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text

SESSIONS = 60
Script = Callable[..., tuple[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def domain(services: Services, film_sessions: list[Session]) -> str:
    """Sample films whose first stage is fitted once; each test measures a model of its own."""
    name = f"measured-{uuid.uuid4().hex[:8]}"
    await load_domain(services, name, sample_items(), [lambda _: film_sessions])
    return name


async def _stored(services: Services, domain: str, model: str) -> dict[str, Any]:
    options = await resolve_context(Context(domain=domain, model=model, fuse="learned"))
    async with services.engine.connect() as connection:
        query = ServingQuery(domain, options.prompted_model, best=False)
        return dict((await serving_state(connection, query)).fusions)


@pytest.mark.long
async def test_a_model_that_answers_by_chance_is_not_asked_again(
    domain: str, script: Script, services: Services
) -> None:
    draw = random.Random(1)

    def guess(_: list[BaseMessage]) -> str:
        return json.dumps({"ranking": draw.sample(range(1, 21), 10)})

    name, model = script(guess)
    found = await measure(Context(domain=domain, model=name), sessions=SESSIONS)
    assert found.llm_calls == SESSIONS
    assert found.fusion["sessions"] == SESSIONS
    assert found.fusion["low"] <= found.fusion["gain"] <= found.fusion["high"]
    assert (await _stored(services, domain, name))["none"] == found.fusion
    if found.fusion["weight"] == 0:
        assert "nothing measurable" in found.says
    again = await measure(Context(domain=domain, model=name), sessions=SESSIONS)
    assert again.llm_calls == 0  # its trials are kept
    assert again.fusion == found.fusion
    calls = len(model.asked)
    request = {"domain": domain, "history": ["alien-1979"]}
    context = Context(model=name, policy="none", fuse="learned", record=False)
    answer = await graph.ainvoke(request, context=context)
    assert len(model.asked) - calls == (1 if found.fusion["weight"] else 0)
    assert answer["error"] is None


async def test_few_sessions_measure_nothing(domain: str, script: Script) -> None:
    name, _ = script(lambda _: '{"ranking": [1, 2]}')
    found = await measure(Context(domain=domain, model=name), sessions=5)
    assert found.fusion["sessions"] == 0
    assert "not measured" in found.says


async def test_a_budget_ends_it_and_what_was_paid_counts(domain: str, script: Script) -> None:
    name, _ = script(lambda _: '{"ranking": [2, 1]}')
    found = await measure(Context(domain=domain, model=name), sessions=SESSIONS, max_llm_calls=40)
    assert found.llm_calls == 40
    assert found.fusion["sessions"] == 40
    assert found.stopped
    assert found.as_dict()["stopped"] == found.stopped.as_dict()


async def test_a_model_that_answers_nothing_ends_it_with_the_reason(
    domain: str, script: Script
) -> None:
    def silent(_: list[BaseMessage]) -> str:
        raise TimeoutError

    name, _ = script(silent)
    with pytest.raises(ModelDownError, match="did not answer in time"):
        await measure(Context(domain=domain, model=name), sessions=2)


async def test_without_sessions_it_says_what_to_load(services: Services, script: Script) -> None:
    name, _ = script(lambda _: '{"ranking": [1]}')
    empty = f"measured-{uuid.uuid4().hex[:8]}"
    await load_domain(services, empty, sample_items(), [])
    with pytest.raises(InputError, match="no training sessions"):
        await measure(Context(domain=empty, model=name))


@pytest.mark.slow
async def test_a_new_first_stage_forgets_what_was_said_of_the_old_one(
    script: Script, services: Services, film_sessions: list[Session]
) -> None:
    """Its candidates were others, under other numbers."""
    domain = f"measured-{uuid.uuid4().hex[:8]}"
    await load_domain(services, domain, sample_items(), [lambda _: film_sessions])
    name, _ = script(lambda _: '{"ranking": [2, 1]}')
    await measure(Context(domain=domain, model=name), sessions=SESSIONS)

    async def trials() -> int:
        async with services.engine.connect() as connection:
            counted = text("SELECT count(*) FROM re2llm.hint_trial WHERE model = :model")
            return await connection.scalar(counted, {"model": name}) or 0

    assert await trials() == SESSIONS
    options = await resolve_context(Context(domain=domain))
    more = simulate_sessions(1, seed=77)
    await load_domain(services, domain, [], [lambda _: more])
    await fit_first_stage(options)
    assert await trials() == SESSIONS  # a few sessions more change nothing
    many = simulate_sessions(40, seed=78)
    await load_domain(services, domain, [], [lambda _: many])
    await fit_first_stage(options)
    assert await trials() == 0
    assert await _stored(services, domain, name) == {}
