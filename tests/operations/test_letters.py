"""Letters end to end with the offline model: trials, the learned weight, and reflection."""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from re2llm.data.sample import sample_items
from re2llm.graph.recommend import graph
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.serving_state import ServingQuery, serving_state
from re2llm.llm.ranking_prompts.letters import read_letters
from re2llm.operations.first_stage.measure import measure
from re2llm.operations.loading.load import load_domain
from re2llm.policies.fusion import Fusion, Opinions, learn_fusion, mean_places
from re2llm.ranking.hints.panels import random_sessions
from re2llm.ranking.hints.trials import resolve_session, try_hint
from re2llm.ranking.opinion import opinion
from re2llm.ranking.prompt import conversation
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text

SESSIONS = 60
VERSION = "letters-2/best-20"
HINT = "Prefer what many similar sessions chose."


@pytest_asyncio.fixture
async def domain(services: Services, film_sessions: list[Session]) -> AsyncIterator[str]:
    name = f"letters-{uuid.uuid4().hex[:8]}"
    await load_domain(services, name, sample_items(), [lambda _: film_sessions])
    yield name


@pytest.fixture(autouse=True)
def letters(adjust: Callable[..., None]) -> None:
    adjust(prompt="letters", fuse="learned")


async def trials(services: Services, domain: str) -> list[tuple[str, str, int]]:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        query = text(
            "SELECT prompt_version, answer, session_id FROM re2llm.hint_trial WHERE domain_id = :id"
        )
        return [tuple(row) for row in await connection.execute(query, {"id": found.id})]  # pyright: ignore[reportReturnType]


async def keys(services: Services, domain: str) -> list[int]:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        query = text("SELECT id FROM re2llm.session WHERE domain_id = :id ORDER BY id")
        return list(await connection.scalars(query, {"id": found.id}))


@pytest.mark.long
async def test_measure_learns_from_scores_and_serves_them(domain: str, services: Services) -> None:
    context = Context(domain=domain)
    found = await measure(context, sessions=SESSIONS)
    assert found.fusion["sessions"] == SESSIONS
    assert len(found.fusion["places"]) == 20
    paid = await trials(services, domain)
    assert len(paid) == SESSIONS
    assert {version for version, _, _ in paid} == {VERSION}
    # The answers hold what the calibration is fitted from: nothing else is needed for the same.
    options = await resolve_context(context)
    assert options.prompt_version == VERSION
    said = {session: read_letters(answer, 20) for _, answer, session in paid}
    assert all(len(set(answer.scores)) > 10 for answer in said.values())
    order = random_sessions(list(said), SESSIONS, options.settings.seed)
    states = [await resolve_session(domain, key, options) for key in order]
    opinions = [opinion(said[key], 20) for key in order]
    chosen = [
        [item["id"] for item in state["candidate_items"]].index(str(state.get("target")))
        for state in states
    ]
    first = [np.array(state.get("first_stage", [])) for state in states]
    again = learn_fusion(Opinions(first, opinions, chosen), mean_places(opinions))
    assert again.as_dict() == found.fusion
    async with services.engine.connect() as connection:
        query = ServingQuery(domain, PromptedModel("offline", VERSION), best=False)
        known = (await serving_state(connection, query)).fusions
    assert known["none"] == found.fusion
    assert Fusion.of(known["none"]) == Fusion.of(found.fusion)
    second = await measure(context, sessions=SESSIONS)
    assert second.fusion == found.fusion
    assert len(await trials(services, domain)) == SESSIONS
    request: Any = {"domain": domain, "history": ["alien-1979"]}
    answer = await graph.ainvoke(request, context=Context(policy="none", record=False))
    assert (answer["error"], answer["flags"]) == (None, [])


async def test_a_trial_is_the_same_when_it_is_replayed(domain: str, services: Services) -> None:
    options = await resolve_context(Context(domain=domain))
    some = (await keys(services, domain))[:8]
    for key in some:
        state = await resolve_session(domain, key, options)
        for hint in (None, HINT):
            first, again = (
                await try_hint(state, hint, options),
                await try_hint(state, hint, options),
            )
            assert first == again
            assert json.loads(first.answer)["logprobs"].keys() == set("ABCDEFGHIJKLMNOPQRST")
    assert len(await trials(services, domain)) == 2 * len(some)


async def test_a_hint_changes_the_letters(domain: str) -> None:
    request: Any = {"domain": domain, "history": ["alien-1979", "aliens-1986"]}
    plain = await graph.ainvoke(request, context=Context(policy="none", record=False))
    hinted = await graph.ainvoke(request, context=Context(hint="Prefer old films.", record=False))
    assert set(plain["ranking"][:20]) == set(hinted["ranking"][:20])
    assert plain["ranking"] != hinted["ranking"]


async def test_reflection_speaks_of_lists(domain: str, services: Services) -> None:
    options = await resolve_context(Context(domain=domain))
    (key, *_) = await keys(services, domain)
    state = await resolve_session(domain, key, options)
    trial = await try_hint(state, None, options)
    given = {"id": None, "text": None, "policy": "none", "probability": 1.0}
    asked: Any = {**state, "recipe": "letters", "answer": trial.answer, "hint": given}
    _, prompt, answer = conversation(asked, options)
    assert "rank the best 10: #|title" in prompt.text
    best = read_letters(trial.answer, 20).numbers[:10]
    assert json.loads(answer.text) == {"ranking": list(best)}
    _, _, unknown = conversation({**asked, "answer": ""}, options)
    assert json.loads(unknown.text) == {"ranking": list(range(1, 11))}
