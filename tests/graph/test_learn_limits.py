"""What `learn` makes of a limit: hints are decided by what it could pay for, or left for later."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import BaseMessage
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.graph.learn import graph
from re2llm.operations.hints.manage import add_hint, list_hints
from re2llm.ranking.hints.panels import random_panel
from re2llm.ranking.hints.proof import FIRST_LOOK
from re2llm.ranking.hints.verification import unlikely
from re2llm.runtime.allowance import _job_over
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text
from teacher import FAR, Teacher, titles
from training_keys import training_keys

SESSIONS = simulate_sessions(14, seed=3)
HINT, OTHER = "Prefer what everyone has seen.", "Prefer what hardly anyone has seen."
CLOSE = "Prefer what everyone has seen already."
BEFORE = 1 + 3 + 1
"""Calls before a hint is tried elsewhere: a ranking, a reflection, a ranking with the hint."""

PANEL = len(SESSIONS) - 1
"""All but the session that a hint comes from."""

Change = Callable[..., None]
Learn = Callable[..., Awaitable[tuple[dict[str, Any], int]]]
Load = Callable[..., Awaitable[Any]]
Helps = Callable[[int], bool]
"""Whether a hint helps a session, by its place among those that hints are tried on."""
Script = Callable[[Callable[[Sequence[BaseMessage]], str]], tuple[str, Any]]


@pytest.fixture
async def keys(services: Services, load: Load, domain: str) -> list[int]:
    await load(domain, sample_items(), SESSIONS)
    return await training_keys(services, domain)


@pytest.fixture
async def learned(adjust: Change, script: Script, domain: str, keys: list[int]) -> Learn:
    """Learn from the first session alone, and return the result and the calls.

    Without a hint, the others' targets are at rank 3.

    With `again`, the model is the one of the run before.
    """
    adjust(verify_random=len(SESSIONS), verify_near=0, verify_doubtful=1)
    options = await resolve_context(Context(domain=domain))
    panel = await random_panel(domain, options, leave_out={keys[0]})
    shown = dict(zip(keys, map(titles, SESSIONS), strict=True))
    places = {shown[key]: place for place, key in enumerate(panel.first)}
    made: list[tuple[str, Any]] = []

    async def run(
        helps: Helps, hints: Sequence[str], budget: Budget, *, again: bool = False
    ) -> tuple[dict[str, Any], int]:
        def rank(hint: str | None, history: tuple[str, ...]) -> int:
            if history == shown[keys[0]]:
                return FAR if hint is None else 1
            if hint is None:
                return 3
            return 1 if helps(places[history]) else FAR

        if not again:
            made.append(script(Teacher(hints, rank, sessions=SESSIONS)))
        name, model = made[-1]
        before = len(model.asked)
        request: Any = {"domain": domain, "session": keys[0]}
        result = await graph.ainvoke(request, context=Context(model=name, budget=budget))
        return result, len(model.asked) - before

    return run


def always(place: int) -> bool:
    return True


def mostly(place: int) -> bool:
    """Helps a little more than it harms: in doubt for long, and not given up early."""
    return place % 5 < 3


def rarely(place: int) -> bool:
    """Harms more than it helps, though not so clearly that any run would stop after 12 sessions."""
    return place % 5 < 2


async def test_a_hint_that_helps_is_kept_by_the_trials_that_a_limit_could_pay_for(
    learned: Learn,
) -> None:
    calls = BEFORE + 2 * (FIRST_LOOK + 2)
    result, made = await learned(always, [HINT], Budget(max_llm_calls=calls))
    [proposal] = result["proposals"]
    assert (result["error"], made) == (None, calls)
    assert proposal["outcome"] == "stored"
    assert proposal["verification"]["sessions"] == FIRST_LOOK + 2


@pytest.mark.parametrize(
    ("helps", "sessions"),
    [(always, FIRST_LOOK - 1), (mostly, FIRST_LOOK + 2)],
    ids=["too few trials", "in doubt"],
)
async def test_what_a_limit_leaves_open_is_left_for_the_next_run(
    learned: Learn, domain: str, helps: Helps, sessions: int
) -> None:
    result, _ = await learned(helps, [HINT], Budget(max_llm_calls=BEFORE + 2 * sessions))
    assert result["error"]["field"] == "max_llm_calls"
    assert not (await list_hints(Context(domain=domain))).hints
    result, made = await learned(helps, [HINT], Budget(), again=True)
    [proposal] = result["proposals"]
    assert proposal["verification"]["sessions"] == PANEL
    assert made <= 2 * (PANEL - sessions) + BEFORE  # what was paid for is not asked again


@pytest.mark.parametrize(
    ("limit", "field"), [("state", "job"), ("off", "autopilot"), ("held", "autopilot")]
)
async def test_what_somebody_has_stopped_decides_on_no_hint(
    learned: Learn, domain: str, limit: Any, field: str
) -> None:
    class Stopped(Budget):
        def claim_call(self, estimate: float = 0.0) -> None:
            if self.llm_calls == BEFORE + 2 * (FIRST_LOOK + 2):
                raise _job_over("learn-1", limit)
            super().claim_call(estimate)

    result, _ = await learned(always, [HINT], Stopped())
    assert result["error"]["field"] == field
    assert not (await list_hints(Context(domain=domain))).hints


async def test_trials_of_several_runs_are_not_looked_at_after_each(learned: Learn) -> None:
    """A hint that gains nothing would pass one of many looks too often."""
    sessions = FIRST_LOOK - 1
    await learned(always, [HINT], Budget(max_llm_calls=BEFORE + 2 * sessions))
    result, _ = await learned(always, [HINT], Budget(max_llm_calls=BEFORE + 2 * 5), again=True)
    assert result["error"]["field"] == "max_llm_calls"


async def test_what_is_paid_for_already_is_looked_at_before_a_hint_is_given_up(
    learned: Learn, services: Services
) -> None:
    await learned(rarely, [HINT], Budget())
    async with services.engine.begin() as connection:
        await connection.execute(text("DELETE FROM re2llm.reflection"))
    result, made = await learned(rarely, [HINT], Budget(max_llm_calls=100), again=True)
    [proposal] = result["proposals"]
    assert proposal["verification"]["sessions"] == 40
    assert made <= BEFORE


async def test_a_proven_hint_is_stored_though_the_limit_leaves_no_call_to_compare_it_again(
    learned: Learn, domain: str
) -> None:
    await add_hint(Context(domain=domain), CLOSE)
    calls = BEFORE + 1 + 2 * (FIRST_LOOK + 2)  # one to compare the two
    result, made = await learned(always, [HINT], Budget(max_llm_calls=calls))
    [proposal] = result["proposals"]
    assert (result["error"], proposal["outcome"], made) == (None, "stored", calls)


async def test_a_proven_hint_is_kept_where_the_limit_ends_with_the_next_one(
    learned: Learn, domain: str
) -> None:
    """The trials of the first one have paid for the rankings without a hint."""
    calls = BEFORE + 2 * PANEL + 1 + 5
    result, made = await learned(always, [HINT, OTHER], Budget(max_llm_calls=calls))
    assert (result["error"], made) == (None, calls)
    assert [(p["text"], p["outcome"]) for p in result["proposals"]] == [
        (HINT, "stored"),
        (OTHER, "surplus"),
    ]
    assert "limit of 93 calls is reached" in result["proposals"][1]["reason"]
    assert [hint.text for hint in (await list_hints(Context(domain=domain))).hints] == [HINT]


async def test_only_where_calls_are_limited_is_an_unlikely_hint_given_up_early(
    learned: Learn,
) -> None:
    result, _ = await learned(rarely, [HINT], Budget(max_llm_calls=10_000))
    [proposal] = result["proposals"]
    assert proposal["outcome"] == "ineffective"
    assert proposal["verification"]["sessions"] in {12, FIRST_LOOK}
    result, _ = await learned(rarely, [HINT], Budget())
    [proposal] = result["proposals"]
    assert proposal["outcome"] == "ineffective"
    assert proposal["verification"]["sessions"] == 40


def test_few_good_hints_are_given_up_as_unlikely_and_most_others_are() -> None:
    rng = np.random.default_rng(0)

    def given_up_at(mean: float) -> np.ndarray:
        gains = rng.normal(mean, 0.35, (400, 104))
        return np.array(
            [next((n for n in range(105) if unlikely(one[:n], 104)), 104) for one in gains]
        )

    good, none, harmful = given_up_at(0.12), given_up_at(0.0), given_up_at(-0.12)
    assert (good < 104).mean() < 0.06
    assert (none < 104).mean() > 0.6
    assert none.mean() < 65
    assert harmful.mean() < 25
