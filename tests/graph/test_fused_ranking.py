"""The first stage and the model's opinion in one ranking, through the real graph."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from langchain_core.messages import BaseMessage
from prompts import document_of
from re2llm.data.sample import load_films, sample_items
from re2llm.errors import InputError
from re2llm.graph.learn import graph as learn_graph
from re2llm.graph.recommend import graph
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.first_stages import describe_first_stage
from re2llm.knowledge.fusions import store_fusions
from re2llm.knowledge.hint_store.hints import add_hint
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.operations.first_stage.fit import fit_first_stage
from re2llm.operations.learning.learn import learn
from re2llm.operations.loading.load import load_domain
from re2llm.operations.training.train import train
from re2llm.policies.fusion import Fusion
from re2llm.ranking.gather import gather
from re2llm.ranking.hints.trials import resolve_session, try_hint
from re2llm.ranking.opinion import learned_fusion
from re2llm.ranking.shown_evidence import EXPECTED
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text

IDS = [film.id for film in load_films()]
HISTORY = ["alien-1979", "blade-runner-1982"]
RERANK = 6
_FIRST_SESSION = text("SELECT min(id) FROM re2llm.session WHERE domain_id = :domain")
Result = dict[str, Any]
Script = Callable[..., tuple[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def warm(services: Services, film_sessions: list[Session]) -> AsyncIterator[str]:
    """The films with a fitted first stage."""
    name = f"warm-{uuid.uuid4().hex[:8]}"
    await load_domain(services, name, sample_items(), [lambda _: film_sessions])
    assert await fit_first_stage(await resolve_context(Context(domain=name))) is not None
    yield name


async def recommend(domain: str, candidates: Sequence[str] | None = None, **options: Any) -> Result:
    request: Result = {"domain": domain, "history": HISTORY, "k": 10}
    if candidates is not None:
        request["candidates"] = list(candidates)
    result = await graph.ainvoke(request, context=Context(policy="none", record=False, **options))
    assert result["error"] is None
    return result


def numbers_asked(messages: Sequence[BaseMessage]) -> int:
    """Return how many candidates a prompt lists."""
    lines = re.findall(r"(?m)^\s*(\d+) ?\|", messages[-1].text)
    if lines:
        return len(lines)
    return len(json.loads(messages[-1].text)["candidates"])


async def test_the_model_is_asked_about_the_best_alone_and_the_rest_follows(
    warm: str, script: Script, adjust: Callable[..., None]
) -> None:
    adjust(rerank=RERANK)
    first = await recommend(warm, IDS[:40], fuse="first_stage")
    name, model = script(lambda _: '{"ranking": [6]}')
    fused = await recommend(warm, IDS[:40], fuse="learned", model=name)
    (prompt,) = model.asked
    assert numbers_asked(prompt) == RERANK
    assert fused["ranking"][RERANK:] == first["ranking"][RERANK:]
    assert set(fused["ranking"][:RERANK]) == set(first["ranking"][:RERANK])
    assert fused["llm_calls"] == 1
    assert first["llm_calls"] == 0
    liked = first["ranking"][RERANK - 1]
    assert fused["ranking"].index(liked) < RERANK - 1


@pytest.mark.parametrize("answer", ["", "I would rather not.", '{"ranking": []}'])
async def test_a_model_that_says_nothing_leaves_the_first_stage(
    warm: str, script: Script, answer: str
) -> None:
    first = await recommend(warm, IDS[:40], fuse="first_stage")
    name, _ = script(lambda _: answer)
    fused = await recommend(warm, IDS[:40], fuse="learned", model=name)
    assert fused["ranking"] == first["ranking"]
    assert fused["flags"]


async def test_the_order_of_the_request_decides_nothing(warm: str) -> None:
    for fuse in ("first_stage", "sum"):
        forwards = await recommend(warm, IDS[:30], fuse=fuse)
        backwards = await recommend(warm, IDS[29::-1], fuse=fuse)
        assert forwards["ranking"] == backwards["ranking"]


async def test_a_model_without_measured_use_is_not_asked(
    warm: str, services: Services, script: Script
) -> None:
    name, model = script(lambda _: '{"ranking": [3, 2, 1]}')
    options = await resolve_context(Context(domain=warm, model=name, fuse="learned"))
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, warm)
        useless = Fusion(0.0, (), 500, -0.001, -0.004, 0.002).as_dict()
        await store_fusions(connection, domain.id, options.prompted_model, {"none": useless})
    first = await recommend(warm, IDS[:40], fuse="first_stage")
    fused = await recommend(warm, IDS[:40], fuse="learned", model=name)
    assert fused["ranking"] == first["ranking"]
    assert model.asked == []
    assert fused["llm_calls"] == 0
    # The model alone is asked all the same.
    await recommend(warm, IDS[:40], fuse="llm", model=name)
    assert len(model.asked) >= 1


async def test_a_learned_weight_decides_how_much_the_answer_moves(
    warm: str, services: Services, script: Script
) -> None:
    name, _ = script(lambda _: '{"ranking": [20, 19, 18]}')
    options = await resolve_context(Context(domain=warm, model=name, fuse="learned"))
    first = (await recommend(warm, IDS[:40], fuse="first_stage"))["ranking"]
    places: list[int] = []
    for weight in (0.05, 0.5, 3.0):
        async with services.engine.begin() as connection:
            domain = await find_domain(connection, warm)
            learned = {"none": Fusion(weight, (), 500, 0.01).as_dict()}
            await store_fusions(connection, domain.id, options.prompted_model, learned)
        fused = await recommend(warm, IDS[:40], fuse="learned", model=name)
        places.append(fused["ranking"].index(first[19]))
    assert places == sorted(places, reverse=True)
    assert places[-1] < places[0]


async def test_without_sessions_meaning_decides_and_that_is_said(
    services: Services, domain: str, load: Callable[..., Any]
) -> None:
    await load(domain, sample_items())
    found = await recommend(domain, fuse="first_stage")
    assert found["flags"] == ["no_sessions"]
    assert len(found["ranking"]) == min(services.settings.candidates, len(IDS) - len(HISTORY))


async def test_candidates_are_retrieved_by_meaning_and_by_choice(
    warm: str, services: Services, adjust: Callable[..., None]
) -> None:
    adjust(candidates=5)
    found = await recommend(warm, fuse="first_stage")
    everything = await recommend(
        warm, [item for item in IDS if item not in HISTORY], fuse="first_stage"
    )
    assert found["ranking"] == everything["ranking"][:5]


async def test_a_fit_is_repeated_only_when_the_sessions_change(
    warm: str, services: Services
) -> None:
    options = await resolve_context(Context(domain=warm))
    async with services.engine.connect() as connection:
        domain = await find_domain(connection, warm)
        before = await describe_first_stage(connection, domain.id)
    await fit_first_stage(options)
    async with services.engine.connect() as connection:
        after = await describe_first_stage(connection, domain.id)
    assert before == after


async def test_trials_of_a_training_session_never_use_a_learned_weight(
    warm: str, services: Services, script: Script
) -> None:
    """Or a hint's trials would depend on when they were made."""
    name, _ = script(lambda _: '{"ranking": [2, 1]}')
    options = await resolve_context(Context(domain=warm, model=name, fuse="learned"))
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, warm)
        learned = {"none": Fusion(0.0, (), 500).as_dict()}
        await store_fusions(connection, domain.id, options.prompted_model, learned)
        session = await connection.scalar(_FIRST_SESSION, {"domain": domain.id})
    state = await resolve_session(warm, session, options)
    trial = await try_hint(state, None, options)
    assert json.loads(trial.answer)["ranking"][:2] == [2, 1]


async def test_the_modes_do_not_share_trials(warm: str) -> None:
    versions = {
        (await resolve_context(Context(domain=warm, fuse=fuse, prompt_order=order))).prompt_version
        for fuse, order in (("llm", None), ("learned", None), ("learned", "shuffled"))
    }
    assert len(versions) == 3


async def test_the_model_alone_is_shown_what_the_first_stage_expects(
    warm: str, script: Script
) -> None:
    name, model = script(lambda _: '{"ranking":[1]}')
    first = (await recommend(warm, IDS[:40], fuse="first_stage"))["ranking"]
    for fuse in ("llm", "learned"):
        await recommend(warm, IDS[:40], fuse=fuse, model=name)
    alone, fused = (document_of(messages)["candidates"] for messages in model.asked)
    titles = {film.title: film.id for film in load_films()}
    shown = {titles[entry["title"]]: entry["evidence"][EXPECTED] for entry in alone}
    digits = [shown[item] for item in first]
    assert (digits[0], digits[-1]) == (9, 0)
    assert digits == sorted(digits, reverse=True)
    assert len(set(digits)) > 5
    assert not any(EXPECTED in entry["evidence"] for entry in fused)


async def test_what_is_expected_in_a_training_session_was_learned_without_it(warm: str) -> None:
    options = await resolve_context(Context(domain=warm, fuse="llm"))
    async with options.services.engine.connect() as connection:
        domain = await find_domain(connection, warm)
        key = (await connection.execute(_FIRST_SESSION, {"domain": domain.id})).scalar_one()
    own = await resolve_session(warm, key, options)
    items = [view["id"] for view in own["candidate_items"]]
    request: Any = {"history": own["history"], "candidates": items}
    seen = await gather(domain, request, options)
    in_order = np.argsort(own["first_stage"])
    estimates = np.array([row[EXPECTED] for row in own["evidence"]])
    assert (np.diff(estimates[in_order]) >= 0).all()
    as_new = {
        view["id"]: row[EXPECTED]
        for view, row in zip(seen["candidate_items"], seen["evidence"], strict=True)
    }
    target = str(own.get("target"))
    assert estimates[items.index(target)] < as_new[target]


async def test_a_repair_asks_for_the_numbers_that_the_prompt_lists(
    warm: str, script: Script, adjust: Callable[..., None]
) -> None:
    adjust(rerank=RERANK)
    name, model = script(lambda _: "I would rather not.")
    await recommend(warm, IDS[:40], fuse="learned", model=name)
    assert f"from 1 to {RERANK}," in model.asked[-1][-1].text


async def test_a_hint_that_no_model_reads_was_not_given(
    warm: str, services: Services, script: Script
) -> None:
    name, model = script(lambda _: '{"ranking": [1, 2]}')
    options = await resolve_context(Context(domain=warm, model=name, fuse="learned"))
    vector = services.embedder.encode(["Prefer silent films."])[0]
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, warm)
        await add_hint(connection, domain.id, "Prefer silent films.", vector, provenance={})
        useless = {"random": Fusion(0.0, (), 500).as_dict()}
        await store_fusions(connection, domain.id, options.prompted_model, useless)
    request = {"domain": warm, "history": HISTORY, "candidates": IDS[:20]}
    for fuse in ("first_stage", "sum", "learned"):
        context = Context(policy="random", model=name, fuse=fuse, record=False)
        answer = await graph.ainvoke(request, context=context)
        assert answer["hint"] == {"id": None, "text": None, "policy": "none", "probability": 1.0}
    assert model.asked == []
    context = Context(policy="random", model=name, fuse="llm", record=False)
    assert (await graph.ainvoke(request, context=context))["hint"]["text"] == "Prefer silent films."


@pytest.mark.parametrize("fuse", ["first_stage", "sum"])
async def test_nothing_is_learned_where_no_model_is_asked(
    warm: str, services: Services, fuse: Any
) -> None:
    context = Context(domain=warm, fuse=fuse)
    for operation in (learn, train):
        with pytest.raises(InputError, match="no model is asked"):
            await operation(context)
    result = await learn_graph.ainvoke({"domain": warm}, context=context)
    assert result["error"]["field"] == "fuse"
    async with services.engine.connect() as connection:
        domain = await find_domain(connection, warm)
        session = await connection.scalar(_FIRST_SESSION, {"domain": domain.id})
    options = await resolve_context(context)
    state = await resolve_session(warm, session, options)
    with pytest.raises(InputError, match="no model is asked"):
        await try_hint(state, None, options)


async def test_each_release_has_a_weight_of_its_own(services: Services, warm: str) -> None:
    options = await resolve_context(Context(domain=warm, fuse="learned", model="offline:own"))
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, warm)
        weights = {"none": 0.0, "ppo:1": 0.5, "ppo:2": 0.0}
        learned = {name: Fusion(weight, (), 300).as_dict() for name, weight in weights.items()}
        await store_fusions(connection, domain.id, options.prompted_model, learned)

    async def weight(chose: str, *, hinted: bool) -> float | None:
        found = (await learned_fusion(warm, chose, options, hinted=hinted))["fusion"]
        return None if found is None else found["weight"]

    for hinted in (True, False):  # else answers without a hint would be told apart
        assert await weight("ppo:1", hinted=hinted) == 0.5
        assert await weight("ppo:2", hinted=hinted) == 0.0
    assert await weight("static", hinted=False) == 0.0
    # A release without a weight: what was measured without hints says nothing about hints.
    assert await weight("ppo:3", hinted=True) is None
    assert await weight("ppo:3", hinted=False) == 0.0


async def test_a_new_measurement_reaches_a_release_whose_weight_is_gone(
    services: Services, domain: str, load: Callable[..., Any]
) -> None:
    """New sessions fit the first stage anew, which forgets the weights; `measure` finds `none`."""
    await load(domain, sample_items())
    options = await resolve_context(Context(domain=domain, fuse="learned", model="offline:own"))

    async def weight(chose: str, *, hinted: bool) -> Any:
        found = await learned_fusion(domain, chose, options, hinted=hinted)
        return found["fusion"] and found["fusion"]["weight"], found["weight_of"]

    assert await weight("ppo:3", hinted=False) == (None, None)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        learned = {"none": Fusion(0.0, (), 300).as_dict()}
        await store_fusions(connection, found.id, options.prompted_model, learned)
    assert await weight("ppo:3", hinted=False) == (0.0, "none")
    assert await weight("ppo:3", hinted=True) == (None, None)
    async with services.engine.begin() as connection:
        learned = {name: Fusion(0.3, (), 300).as_dict() for name in ("ppo", "static")}
        await store_fusions(connection, found.id, options.prompted_model, learned)
    assert await weight("ppo:3", hinted=True) == (0.3, "ppo")
    assert await weight("ppo:3", hinted=False) == (0.3, "ppo")
    assert await weight("static", hinted=False) == (0.3, "static")
    assert await weight("random", hinted=False) == (0.0, "none")


async def test_too_few_sessions_overwrite_no_measured_weight(services: Services, warm: str) -> None:
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, warm)

        async def store(weight: float, sessions: int) -> float:
            made = {"none": Fusion(weight, (), sessions).as_dict()}
            await store_fusions(connection, domain.id, PromptedModel("m", "v"), made)
            query = text("SELECT learned FROM re2llm.fusion WHERE domain_id = :id AND model = 'm'")
            return (await connection.scalar(query, {"id": domain.id}))["weight"]

        assert await store(0.2, 0) == 0.2
        assert await store(0.0, 300) == 0.0
        assert await store(0.2, 0) == 0.0
        assert await store(0.5, 200) == 0.5
