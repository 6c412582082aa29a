"""Reflection on several misses that share a cause: what is shown, tried, settled and kept."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from prompts import document_of
from re2llm.data.sample import load_films, sample_items, simulate_sessions
from re2llm.graph.learn import graph
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.forgetting import delete_sessions
from re2llm.knowledge.hint_store.decisions import own_sessions
from re2llm.knowledge.hint_store.reflections import waiting_misses
from re2llm.operations.hints.manage import show_hint
from re2llm.operations.learning.learn import learn, learn_session
from re2llm.operations.learning.learner import Learner
from re2llm.ranking.hints import batching, misses
from re2llm.ranking.hints.misses import miss_of
from re2llm.ranking.hints.panels import miss_query
from re2llm.ranking.hints.trials import resolve_session, run_trial
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from training_keys import training_keys

TITLES = {film.id: film.title for film in load_films()}
SESSIONS = simulate_sessions(8, seed=3)
HINT = "Prefer what everyone has seen."
FAR = 20
PARTS = {
    "Saving Private Ryan": "ryan",
    "Psycho": "psycho",
    "The Prestige": "prestige",
    "The Matrix": "matrix",
    "My Neighbor Totoro": "totoro",
    "Return of the Jedi": "jedi",
    "Grizzly Man": "grizzly",
    "The Avengers": "avengers",
    "The Empire Strikes Back": "empire",
}
"""Titles by a part of them that an honest hint may use if none of them was shown."""

Result = dict[str, Any]


class Teacher:
    """Misses every target without a hint; a hint lifts those whose history `helps` accepts."""

    def __init__(self, helps: Callable[[tuple[str, ...]], bool]) -> None:
        self.helps = helps
        self.batches: list[dict[str, Any]] = []
        self.asked_about_one = 0
        self.advise: Callable[[dict[str, Any]], list[str]] = lambda _: [HINT]
        self.targets = {
            tuple(TITLES[i] for i in session.history): TITLES[session.target or ""]
            for session in SESSIONS
        }

    def __call__(self, messages: Sequence[BaseMessage]) -> str:
        last = messages[-1].text
        if len(messages) == 2 and '"misses"' in last:
            self.batches.append(json.loads(last))
            return json.dumps({"cause": "They are famous.", "hints": self.advise(self.batches[-1])})
        with suppress(ValueError, IndexError):
            if len(messages) == 2:
                return self.ranking(document_of(messages))
        self.asked_about_one += 1
        return json.dumps({"hints": [HINT]}) if '{"hints"' in last else "0"

    def ranking(self, document: dict[str, Any]) -> str:
        history = tuple(entry["title"] for entry in document["history"])
        numbers = [entry["number"] for entry in document["candidates"]]
        target = self.targets[history]
        chosen = next(e["number"] for e in document["candidates"] if e["title"] == target)
        numbers.remove(chosen)
        near = "hint" in document and self.helps(history)
        numbers.insert(0 if near else FAR - 1, chosen)
        return json.dumps({"ranking": numbers})


@pytest.fixture
async def keys(services: Services, load: Any, domain: str, adjust: Any) -> list[int]:
    await load(domain, sample_items(), SESSIONS)
    adjust(verify_random=20, verify_near=2, verify_doubtful=1)
    return await stored(services, domain)


@pytest.fixture(autouse=True)
def _all_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any misses may be in one batch; which are alike depends on their keys."""
    monkeypatch.setattr(misses, "_ALIKE", -1.0)


async def stored(services: Services, domain: str) -> list[int]:
    return await training_keys(services, domain)


async def learnt(domain: str, key: int, model: str, batch: int) -> Result:
    request: Any = {"domain": domain, "session": key}
    return await graph.ainvoke(request, context=Context(model=model, reflection_batch=batch))


async def unsettled(domain: str, model: str, keys: list[int]) -> set[int]:
    context = Context(domain=domain, model=model)
    return set(await Learner(context, await resolve_context(context)).unsettled(keys))


@pytest.mark.long
async def test_one_question_is_about_the_whole_batch_and_settles_it(
    services: Services, script: Any, domain: str, keys: list[int]
) -> None:
    teacher = Teacher(lambda _: True)
    name, _ = script(teacher)
    result = await learnt(domain, keys[0], name, 4)
    assert result["error"] is None
    others = {miss["session"] for miss in result["batch"]}
    assert len(others) == 3
    assert keys[0] not in others
    assert [len(document["misses"]) for document in teacher.batches] == [4]
    assert teacher.asked_about_one == 0
    shown = teacher.batches[0]["misses"][0]
    assert shown["chosen"]["title"] == TITLES[SESSIONS[0].target or ""]
    assert shown["rank"] == FAR
    assert set(shown["standing"]) <= set(teacher.batches[0]["figures"])
    assert result["reflection"]["diagnosis"] == "They are famous."
    [proposal] = result["proposals"]
    assert proposal["outcome"] == "stored"
    # The misses flatter it, so that it is verified on others alone.
    assert proposal["verification"]["sessions"] <= len(keys) - 4
    assert await unsettled(domain, name, keys) == set(keys) - {keys[0]} - others
    story = await show_hint(Context(domain=domain), proposal["hint_id"])
    [told] = [p["miss"] for p in story["proposals"]]
    assert {miss["session"] for miss in told["batch"]} == others
    assert all(miss["rank"] == FAR and miss["target"] for miss in told["batch"])
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        flatters = await own_sessions(connection, found.id)
    assert flatters[proposal["hint_id"]] == {keys[0], *others}


async def test_a_hint_that_does_not_help_most_of_them_is_refused(
    services: Services, script: Any, domain: str, keys: list[int]
) -> None:
    own = tuple(TITLES[i] for i in SESSIONS[0].history)
    name, _ = script(Teacher(lambda history: history == own))
    result = await learnt(domain, keys[0], name, 4)
    [proposal] = result["proposals"]
    assert proposal["outcome"] == "ineffective"
    assert proposal["reason"] == "It does not help most of its 4 misses."
    assert proposal["verification"] == {}


@pytest.mark.long
async def test_by_the_papers_rule_too_most_of_them_must_be_helped(
    services: Services, script: Any, domain: str, keys: list[int], adjust: Any
) -> None:
    adjust(verify_rule="paper")
    own = tuple(TITLES[i] for i in SESSIONS[0].history)
    name, _ = script(Teacher(lambda history: history != own))
    options = await resolve_context(Context(domain=domain, model=name))
    for key in keys:
        await run_trial(domain, key, None, options)
    result = await learnt(domain, keys[0], name, 4)
    [proposal] = result["proposals"]
    assert proposal["outcome"] == "stored"
    assert proposal["reason"] == "It helps most of its 4 misses."  # though not the first one


async def test_a_hint_gives_none_of_the_shown_misses_away(
    services: Services, script: Any, load: Any, domain: str
) -> None:
    named = [one for one in SESSIONS if TITLES[one.target or ""] in PARTS]
    await load(domain, sample_items(), named)
    teacher = Teacher(lambda _: True)
    name, _ = script(teacher)

    def advise(document: dict[str, Any]) -> list[str]:
        parts = [PARTS[miss["chosen"]["title"]] for miss in document["misses"]]
        return [f"Prefer films about {part} and the like." for part in parts[1:]]

    teacher.advise = advise
    [key, *_] = await stored(services, domain)
    result = await learnt(domain, key, name, 3)
    [document] = teacher.batches
    further = [PARTS[miss["chosen"]["title"]] for miss in document["misses"]][1:]
    assert [p["outcome"] for p in result["proposals"]] == ["leak", "leak"]
    for part, proposal in zip(further, result["proposals"], strict=True):
        assert proposal["reason"] == f"It gives the chosen item away: {part!r}."


async def test_a_batch_of_one_is_the_conversation_of_the_paper(
    script: Any, domain: str, keys: list[int]
) -> None:
    teacher = Teacher(lambda _: True)
    name, _ = script(teacher)
    result = await learnt(domain, keys[0], name, 1)
    assert result["batch"] == []
    assert teacher.batches == []
    assert teacher.asked_about_one == 3
    assert len(result["reflection"]["messages"]) == 9


class DeclinedError(Exception):
    """What a provider raises whose filter stops a prompt."""

    status_code = 400


@pytest.mark.long
async def test_a_miss_is_tried_alone_where_its_batch_is_declined(
    script: Any, domain: str, keys: list[int]
) -> None:
    """Another miss may be what the model declines; all of the others stay to be learned from."""
    teacher = Teacher(lambda _: True)

    def answer(messages: Any) -> str:
        batches = len(teacher.batches)
        said = teacher(messages)
        if len(teacher.batches) > batches:
            raise DeclinedError("Content Exists Risk")
        return said

    name, _ = script(answer)
    result = await learnt(domain, keys[0], name, 4)
    assert result["batch"] == []
    assert len(teacher.batches) == 1
    assert len(result["reflection"]["messages"]) == 9
    assert not result["reflection"]["declined"]


@pytest.mark.long
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_each_miss_is_in_one_reflection(
    services: Services, script: Any, domain: str, keys: list[int], concurrency: int
) -> None:
    """Learning of a whole run: batches hold no miss twice, and nothing is left."""
    teacher = Teacher(lambda _: False)
    name, _ = script(teacher)
    context = Context(domain=domain, model=name, reflection_batch=3)
    await learn(context, concurrency=concurrency, tidy=False)
    assert await unsettled(domain, name, keys) == set()
    targets = [len(document["misses"]) for document in teacher.batches]
    alone = teacher.asked_about_one / 3
    assert sum(targets) + alone == len(keys)
    assert max(targets) == 3
    # What was claimed is free again.
    assert all([await services.locks.claim_session(key) for key in keys])
    for key in keys:
        await services.locks.release_session(key)


async def test_the_panel_is_ranked_for_misses_that_nobody_reflected_on(
    script: Any, domain: str, keys: list[int]
) -> None:
    name, model = script(Teacher(lambda _: False))
    await learnt(domain, keys[0], name, 4)
    options = await resolve_context(Context(domain=domain, model=name))
    before = len(await batching._waiting(domain, options))
    enough = before + 3
    poor = replace(options, budget=Budget(max_llm_calls=5))
    asked = len(model.asked)
    assert len(await batching._with_panel(domain, enough, poor)) == before
    assert len(model.asked) == asked
    assert len(await batching._with_panel(domain, enough, options)) >= enough


async def test_in_a_small_catalogue_the_chosen_item_is_none_of_those_that_stood_first(
    services: Services, load: Any, domain: str
) -> None:
    [first, *_] = SESSIONS
    ids = [film.id for film in load_films() if film.id not in {*first.history, first.target}][:11]
    await load(domain, sample_items(), [replace(first, candidates=(*ids, first.target or ""))])
    options = await resolve_context(Context(domain=domain))
    [key] = await stored(services, domain)
    state = await resolve_session(domain, key, options)
    place = 1 + [item["id"] for item in state["candidate_items"]].index(first.target or "")
    others = [number for number in range(1, 13) if number != place]

    def picked(rank: int) -> list[float]:
        answer = json.dumps({"ranking": [*others[: rank - 1], place, *others[rank - 1 :]]})
        figures = miss_of(state, key, rank, answer, options).figures
        return [figure.picked for figure in figures]

    assert picked(4)
    assert picked(4) == picked(6) == picked(12)


async def test_a_deleted_session_takes_the_reflections_along_that_tell_of_it(
    services: Services, script: Any, domain: str, keys: list[int]
) -> None:
    name, _ = script(Teacher(lambda _: True))
    result = await learnt(domain, keys[0], name, 3)
    gone = result["batch"][0]["session"]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await delete_sessions(connection, found, [gone])
        query = miss_query(await resolve_context(Context(model=name)))
        left = await waiting_misses(connection, found.id, query)
    # What was learned with it can be learned again from the others.
    assert {keys[0], result["batch"][1]["session"]} <= set(left)


async def test_a_piece_of_a_job_reflects_on_a_batch(
    script: Any, domain: str, keys: list[int]
) -> None:
    teacher = Teacher(lambda _: True)
    name, _ = script(teacher)
    budget = Budget(max_llm_calls=200, max_hints=5)
    context = Context(domain=domain, model=name, budget=budget, reflection_batch=3)
    counts = await learn_session(context, keys[1])
    assert counts["missed"] == counts["proposed"] == 1
    assert [len(document["misses"]) for document in teacher.batches] == [3]
