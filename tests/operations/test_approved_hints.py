"""A person's approval holds until more is known."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.bringing_back import add_or_bring_back
from re2llm.knowledge.hint_store.stats import retire_harmful
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.operations.hints.manage import approve_hints, list_hints, show_hint
from re2llm.operations.hints.tidy import tidy_hints
from re2llm.operations.hints.tidy_results import TidiedHints
from re2llm.operations.learning.learn import learn
from re2llm.operations.loading.load import load_domain
from re2llm.ranking.hints.stats import update_stats
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from tried import stored, tried

HINT, AGAIN = "Prefer older titles.", "Prefer titles that are older."


def with_candidates(session: Session) -> Session:
    others = [
        item.id for item in sample_items() if item.id not in {*session.history, session.target}
    ]
    drawn = Random(str(session)).sample(others, 19)
    return replace(session, candidates=(session.target or "", *drawn))


SESSIONS = [with_candidates(session) for session in simulate_sessions(44, seed=5)]
PLAIN = [Random(n).choice([2, 4, 6, 9]) for n in range(len(SESSIONS))]
HARMFUL = [20 if n % 2 else rank for n, rank in enumerate(PLAIN)]
HELPFUL = [1 if n % 2 else rank for n, rank in enumerate(PLAIN)]
LATELY = [*HELPFUL[:-24], *([20] * 24)]
TRIED = 100
"""On how many sessions the hint was tried at first."""


@pytest.fixture
async def room(services: Services, adjust: Callable[..., None], domain: str) -> str:
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    adjust(verify_random=200, verify_doubtful=1, concurrency=4)
    await tried(services, domain, None, PLAIN)
    return domain


async def tidied(domain: str, **options: str) -> TidiedHints:
    return await tidy_hints(Context(domain=domain, **options), max_llm_calls=0)


async def status_of(domain: str, hint: int) -> str:
    return next(
        one.status for one in (await list_hints(Context(domain=domain))).hints if one.id == hint
    )


@pytest.mark.parametrize(
    ("ranks", "verdict"),
    [
        (HARMFUL[:TRIED], "harms"),
        (LATELY, "harms_lately"),
        (PLAIN[:TRIED], "no_effect"),
    ],
)
async def test_the_same_trials_do_not_undo_an_approval(
    services: Services, room: str, ranks: list[int], verdict: str
) -> None:
    [hint] = await stored(services, room, HINT)
    await tried(services, room, HINT, ranks)
    found = await tidied(room)
    assert [one.verdict for one in found.changed] == [verdict]
    await approve_hints(Context(domain=room), [hint])
    for _ in range(2):
        again = await tidied(room)
        assert (again.changed, [kept.id for kept in again.kept]) == ([], [hint])
        assert (await learn(Context(domain=room), max_llm_calls=0)).tidied == []
        assert await status_of(room, hint) == "active"


async def test_more_trials_may_retire_it_again(services: Services, room: str) -> None:
    [hint] = await stored(services, room, HINT)
    await tried(services, room, HINT, HARMFUL[:TRIED])
    await tidied(room)
    await approve_hints(Context(domain=room), [hint])
    await tried(services, room, HINT, HARMFUL)
    found = await tidied(room)
    assert [(one.id, one.verdict) for one in found.changed] == [(hint, "harms")]
    assert len((await show_hint(Context(domain=room), hint))["decisions"]) == 2
    # A further approval is against these trials, and holds again.
    await approve_hints(Context(domain=room), [hint])
    assert (await tidied(room)).changed == []


async def test_trials_of_another_model_may_retire_it(
    services: Services, room: str, script: Callable[..., Any]
) -> None:
    [hint] = await stored(services, room, HINT)
    other, _ = script(lambda messages: "")  # it is not asked
    for options in ({}, {"model": other}):
        await tried(services, room, None, PLAIN, **options)
        await tried(services, room, HINT, HARMFUL, **options)
        assert [one.id for one in (await tidied(room, **options)).changed] == [hint]
        await approve_hints(Context(domain=room), [hint])
        assert (await tidied(room, **options)).changed == []


async def test_a_near_duplicate_that_was_approved_stands_for_itself(
    services: Services, room: str
) -> None:
    first, second = await stored(services, room, HINT, AGAIN)
    for text in (HINT, AGAIN):
        await tried(services, room, text, HELPFUL)
    assert [(one.id, one.verdict) for one in (await tidied(room)).changed] == [(second, "same")]
    await approve_hints(Context(domain=room), [second])
    found = await tidied(room)
    assert (found.changed, [kept.id for kept in found.kept]) == ([], [first, second])


async def test_harm_is_decided_once_with_its_figures(services: Services, room: str) -> None:
    """As after `learn`, `train` and `hints verify`."""
    [hint] = await stored(services, room, HINT)
    await tried(services, room, HINT, HARMFUL)
    options = await resolve_context(Context(domain=room))

    async def retired() -> list[int]:
        async with services.engine.begin() as connection:
            found = await find_domain(connection, room)
            await update_stats(connection, found.id, options)
            gone = await retire_harmful(connection, found.id, options.prompted_model)
            return [hint.id for hint in gone]

    assert await retired() == [hint]
    [decision] = (await show_hint(Context(domain=room), hint))["decisions"]
    assert (decision["verdict"], decision["before"], decision["after"]) == (
        "harms",
        "active",
        "retired",
    )
    assert decision["figures"]["sessions"] == len(SESSIONS)
    assert decision["figures"]["ci90"][1] < 0
    await approve_hints(Context(domain=room), [hint])
    assert await retired() == []
    assert (await tidied(room)).changed == []
    assert await status_of(room, hint) == "active"


async def test_trials_that_a_person_has_seen_before_approving_do_not_undo_it(
    services: Services, room: str
) -> None:
    [hint] = await stored(services, room, HINT)
    await tried(services, room, HINT, HARMFUL[:TRIED])
    assert [one.verdict for one in (await tidied(room)).changed] == ["harms"]
    await tried(services, room, HINT, HARMFUL)  # somebody tries the retired hint on more
    await approve_hints(Context(domain=room), [hint])
    assert (await tidied(room)).changed == []


async def test_nobody_has_approved_what_another_model_has_learned(
    services: Services, room: str
) -> None:
    [hint] = await stored(services, room, HINT)
    await tried(services, room, HINT, HARMFUL)
    assert [one.verdict for one in (await tidied(room)).changed] == ["harms"]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, room)
        back = await add_or_bring_back(
            connection,
            found.id,
            HINT,
            services.embedder.encode([HINT])[0],
            PromptedModel("other", "-"),
            provenance={"source": "reflection"},
            status="active",
        )
    assert (back, await status_of(room, hint)) == (hint, "active")
    assert [one.verdict for one in (await tidied(room)).changed] == ["harms"]
