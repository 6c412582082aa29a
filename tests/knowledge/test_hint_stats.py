"""Which hint is given where a release was trained for another model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import add_hint, hint_key, list_hints, set_status
from re2llm.knowledge.hint_store.reflections import (
    Proposal,
    Reflection,
    store_proposal,
    store_reflection,
)
from re2llm.knowledge.hint_store.stats import best_measured, measured_hints, refresh_stats
from re2llm.knowledge.hint_store.trials import Trial, store_trial
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.schema.tables import HintRow
from re2llm.knowledge.sessions.training_sessions import session_keys
from re2llm.runtime.services import Services
from sqlalchemy import update

MODEL, MODEL_A, MODEL_B = (PromptedModel(name, "1") for name in ("m", "model-a", "model-b"))
HINTS = {
    "Prefer recent films.": 2,  # the rank that it brings; without a hint it is 8
    "Prefer films of one director.": 1,
    "Prefer long films.": 8,
    "Prefer short films.": 40,
}


async def best_verified(connection: Any, domain_id: int, prompted_model: PromptedModel) -> Any:
    return await best_measured(connection, domain_id, prompted_model, beyond_doubt=True)


async def test_the_best_hint_is_the_one_verified_on_that_model(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    await load(domain, sample_items(), simulate_sessions(60, seed=3))
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        sessions = (await session_keys(connection, found.id))[:40]
        ids: dict[str, int] = {}
        for text, vector in zip(HINTS, services.embedder.encode(list(HINTS)), strict=True):
            ids[text], _ = await add_hint(connection, found.id, text, vector, provenance={})
        for session in sessions:
            for text, rank in [(None, 8), *HINTS.items()]:
                trial = Trial(session, hint_key(text), "model-a", "1", rank, "")
                await store_trial(connection, found.id, trial)
        few = Trial(sessions[0], hint_key(next(iter(HINTS))), "model-b", "1", 1, "")
        await store_trial(connection, found.id, few)
        await store_trial(
            connection, found.id, Trial(sessions[0], hint_key(None), "model-b", "1", 9, "")
        )
        for model in (MODEL_A, MODEL_B):
            await refresh_stats(connection, found.id, model, sessions)
        director, recent = ids["Prefer films of one director."], ids["Prefer recent films."]
        best = await best_verified(connection, found.id, MODEL_A)
        assert best is not None
        assert best.id == director
        await set_status(connection, found.id, director, "retired", "test")
        best = await best_verified(connection, found.id, MODEL_A)
        assert best is not None
        assert best.id == recent
        assert await best_verified(connection, found.id, PromptedModel("model-a", "2")) is None
        assert await best_verified(connection, found.id, MODEL_B) is None  # one session
        assert await best_verified(connection, found.id, PromptedModel("offline", "1")) is None
        promising = await best_measured(connection, found.id, MODEL_B)
        assert promising is not None
        assert (promising.id, promising.trials) == (recent, 1)
        measured = await measured_hints(connection, found.id, MODEL_B)
        assert [hint.trials for hint in measured] == [1, 0, 0, 0]
        await set_status(connection, found.id, recent, "retired", "test")
        assert await best_verified(connection, found.id, MODEL_A) is None


async def test_the_sessions_that_a_hint_comes_from_do_not_count(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    """Neither the miss, nor the others that it was shown with, nor those of a merged hint."""
    await load(domain, sample_items(), simulate_sessions(20, seed=3))
    texts = ["Prefer recent films.", "Prefer new films."]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        sessions = (await session_keys(connection, found.id))[:10]
        ids: list[int] = []
        for text, vector in zip(texts, services.embedder.encode(texts), strict=True):
            hint, _ = await add_hint(connection, found.id, text, vector, provenance={})
            ids.append(hint)
        for session, others, hint in ((0, {1: 30}, ids[0]), (2, {}, ids[1])):
            batch = {sessions[other]: rank for other, rank in others.items()}
            told = Reflection(sessions[session], "m", "1", 8, "", [], batch)
            reflection = await store_reflection(connection, found.id, told)
            proposal = Proposal("x", "stored", "", hint)
            await store_proposal(connection, found.id, reflection, proposal)
        for row, session in enumerate(sessions):
            for text in (None, texts[0]):
                rank = 8 if text is None or row > 2 else 1  # it helps only those
                trial = Trial(session, hint_key(text), "m", "1", rank, "")
                await store_trial(connection, found.id, trial)
        await refresh_stats(connection, found.id, MODEL, sessions)
        [first, _] = await measured_hints(connection, found.id, MODEL)
        assert (first.trials, first.helped) == (8, 1)
        await connection.execute(
            update(HintRow)
            .where(HintRow.domain_id == found.id, HintRow.id == ids[1])
            .values(merged_into=ids[0])
        )
        await refresh_stats(connection, found.id, MODEL, sessions)
        [first, _] = await measured_hints(connection, found.id, MODEL)
        assert (first.trials, first.helped, first.mean_gain) == (7, 0, 0.0)


async def test_figures_go_with_the_trials_that_they_rest_on(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    """A trial may be counted before it is known that the hint comes from its session."""
    await load(domain, sample_items(), simulate_sessions(4, seed=3))
    text = "Prefer recent films."
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        [session, *_] = await session_keys(connection, found.id)
        [vector] = services.embedder.encode([text])
        hint, _ = await add_hint(connection, found.id, text, vector, provenance={})
        for model, rank in (("a", 1), ("b", 2)):
            for given, at in ((None, 8), (text, rank)):
                trial = Trial(session, hint_key(given), model, "1", at, "")
                await store_trial(connection, found.id, trial)
        shown: list[tuple[int, float]] = []
        for model, sessions in (("a", [session]), ("b", [session]), ("b", []), ("a", [])):
            await refresh_stats(connection, found.id, PromptedModel(model, "1"), sessions)
            [one] = await list_hints(connection, found.id)
            shown.append((one.trials, one.mean_gain))
        [of_a, of_b, again_a, none] = shown
        assert of_a == again_a > of_b > none == (0, 0.0)
        told = Reflection(session, "a", "1", 8, "", [], {})
        reflection = await store_reflection(connection, found.id, told)
        await refresh_stats(connection, found.id, PromptedModel("a", "1"), [session])
        proposal = Proposal(text, "duplicate", "", hint)
        await store_proposal(connection, found.id, reflection, proposal)
        await refresh_stats(connection, found.id, PromptedModel("a", "1"), [session])
        [one] = await list_hints(connection, found.id)
        assert (one.trials, one.mean_gain) == (0, 0.0)


async def test_two_learners_may_sum_up_at_the_same_time(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    await load(domain, sample_items(), simulate_sessions(30, seed=4))
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        sessions = await session_keys(connection, found.id)
        for text, vector in zip(HINTS, services.embedder.encode(list(HINTS)), strict=True):
            await add_hint(connection, found.id, text, vector, provenance={})
        for session in sessions:
            for text, rank in [(None, 8), *HINTS.items()]:
                trial = Trial(session, hint_key(text), "model-a", "1", rank, "")
                await store_trial(connection, found.id, trial)

    async def sum_up() -> None:
        async with services.engine.begin() as connection:
            await refresh_stats(connection, found.id, MODEL_A, sessions)
            await asyncio.sleep(0.05)  # the others begin before this one is done

    await asyncio.gather(*(sum_up() for _ in range(4)))
    async with services.engine.connect() as connection:
        measured = await measured_hints(connection, found.id, MODEL_A)
    assert [hint.trials for hint in measured] == [len(sessions)] * len(HINTS)
