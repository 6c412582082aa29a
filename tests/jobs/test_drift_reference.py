"""What an autopilot expects of a release: quick feedback has no head start, and purges no say."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from piloted import WINDOW, a_window_ago, rewarded, served
from re2llm.jobs.autopilot.switch import run_once, turn_on
from re2llm.knowledge.autopilot import counted_rewards
from re2llm.knowledge.autopilot.autopilots import (
    find_autopilot,
    set_autopilot_state,
    store_decision,
)
from re2llm.knowledge.autopilot.counted_rewards import count_rewards
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.schema.autopilot import AutopilotRow
from re2llm.knowledge.schema.log import RecommendationRow
from re2llm.knowledge.schema.tables import ReleaseRow
from re2llm.operations.autopilot.manage import resume_autopilot, show_autopilot
from re2llm.operations.sessions.purge import purge
from re2llm.policies.autopilot.drift import RewardDrift, moments, reward_drift
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.policies.rollout.confidence import Moments
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import two_releases
from sqlalchemy import delete, text, update

SIZE = 150
PLAN = AutopilotPlan(calls_per_day=1_000, reference=SIZE)
LASTS = dt.timedelta(hours=6)
Visit = tuple[dt.datetime, float, float]


@pytest_asyncio.fixture
async def piloted(services: Services, loaded: Callable[..., Any]) -> Context:
    """A domain whose autopilot has watched for a window."""
    context = Context(domain=await loaded(1))
    await turn_on(context, PLAN)
    await a_window_ago(services, context.domain or "")
    return context


def stream(seed: int, count: int = 1_200, drop_from: int | None = None) -> list[Visit]:
    """Requests over some hours: who picks something says so at once, who does not takes long.

    Some feedback comes when its window is over.
    """
    rng = np.random.default_rng(seed)
    start = dt.datetime.now(dt.UTC) - LASTS
    visits: list[Visit] = []
    for place in range(count):
        picks = rng.random() < (0.5 if drop_from is None or place < drop_from else 0.05)
        after = rng.uniform(5, 300) if picks else rng.uniform(1_800, 4_200)
        moment = start + place * LASTS / count
        visits.append((moment, float(after), float(rng.choice([0.4, 1.0])) if picks else 0.0))
    return visits


async def looks(
    services: Services, context: Context, visits: list[Visit], patch: pytest.MonkeyPatch
) -> list[RewardDrift]:
    """Return what is seen of a stream, by the count of the cycles, as if time went by.

    A request counts by its own window, so what comes later than "now" changes nothing.
    """
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, context.domain or "")).id
        log = RecommendationRow.domain_id == number
        await connection.execute(delete(RecommendationRow).where(log))
        begun = update(AutopilotRow).where(AutopilotRow.domain_id == number)
        await connection.execute(begun.values(reward_since=visits[0][0]))
    await served(services, context.domain or "", visits)
    found: list[RewardDrift] = []
    async with services.engine.connect() as connection:
        autopilot = await find_autopilot(connection, number)
        assert autopilot is not None
        for back in np.arange(4.5, -0.1, -0.5):  # hours
            then = f"SELECT now() - make_interval(secs => :window) - interval '{back} hours'"
            patch.setattr(counted_rewards, "_SETTLED", text(f"{then} WHERE :until IS NOT NULL"))
            blocks = (await count_rewards(connection, autopilot, services.settings.model)).blocks
            reference, *later = [moments(*block) for block in blocks] or [Moments()]
            found.append(reward_drift(reference, later, SIZE))
    return found


def as_it_comes(visits: list[Visit]) -> bool:
    """Whether a count in the order in which feedback comes sees a drop: the fault to avoid."""
    ordered = [one[2] for one in sorted(visits, key=lambda one: one[0].timestamp() + one[1])]
    for seen in range(SIZE, len(ordered) + 1, 50):
        parts = np.split(np.array(ordered[:seen]), range(SIZE, seen, SIZE))
        sums = [moments(len(a), float(a.sum()), float((a**2).sum())) for a in parts]
        if reward_drift(sums[0], sums[1:], SIZE).dropped:
            return True
    return False


@pytest.mark.long
async def test_late_feedback_without_drift_is_never_a_drop(
    services: Services, piloted: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    fooled = 0
    for seed in range(6):
        visits = stream(seed)
        fooled += as_it_comes(visits)
        found = await looks(services, piloted, visits, monkeypatch)
        assert not any(one.dropped for one in found), seed
        assert found[-1].expected_rewards == SIZE
        assert found[-1].live_rewards > SIZE
    assert fooled >= 5  # the streams are what would fool a count without a window


@pytest.mark.long
async def test_a_true_drop_is_found_and_not_before_it(
    services: Services, piloted: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        found = await looks(services, piloted, stream(seed, drop_from=500), monkeypatch)
        dropped = [one.dropped for one in found]
        assert dropped[-1], seed
        assert not any(dropped[:4]), seed  # hours 1.5 to 3 of 6


async def test_only_what_is_served_by_default_says_what_to_expect(
    services: Services, piloted: Context
) -> None:
    """Before the first release that is the best hint; a growing share without one is no drop."""
    start = dt.datetime.now(dt.UTC) - WINDOW
    visits = [(start + dt.timedelta(microseconds=i), 1.0, 0.5) for i in range(10)]

    async def counted() -> int:
        shown = await show_autopilot(piloted)
        assert shown.reward is not None
        return int(shown.reward["expected_rewards"])

    for policy in ("none", "given", "random", "ppo:1"):
        await served(services, piloted.domain or "", visits, policy=policy)
    assert await counted() == 0
    await served(services, piloted.domain or "", visits, policy="static")
    assert await counted() == 10
    made = await two_releases(services, piloted.domain or "")  # the first is active
    async with services.engine.begin() as connection:
        active = update(ReleaseRow).where(ReleaseRow.domain_id == made.domain_id)
        await connection.execute(active.values(activated_at=start))
    assert await counted() == 10


async def test_a_purge_changes_nothing(services: Services, piloted: Context) -> None:
    domain = piloted.domain or ""
    await rewarded(services, domain, [1.0, 0.0] * 80)
    await run_once(piloted)
    await rewarded(services, domain, [1.0, 0.0] * 60)  # no cycle has seen these
    before = (await show_autopilot(piloted)).reward
    assert before is not None
    assert (before["expected_rewards"], before["live_rewards"]) == (150, 130)
    gone = await purge(piloted, older_than=0)
    assert gone.feedback >= 280
    assert (await show_autopilot(piloted)).reward == before
    await rewarded(services, domain, [0.0] * 200)
    assert (await run_once(piloted)).decisions[0].reason == "drift"


async def test_only_a_resume_after_a_drop_expects_something_else(
    services: Services, piloted: Context
) -> None:
    domain = piloted.domain or ""
    await rewarded(services, domain, [1.0, 0.0] * 60)
    await run_once(piloted)
    for reason, kept in (("job_failed", 120), ("rollout_held", 120), ("drift", 0)):
        async with services.engine.begin() as connection:
            number = (await find_domain(connection, domain)).id
            await set_autopilot_state(connection, number, "held")
            await store_decision(connection, number, "hold", reason, "It is held.")
            held = await find_autopilot(connection, number)
        resumed = await resume_autopilot(piloted)
        assert resumed.reward is not None
        assert resumed.reward["expected_rewards"] == kept, reason
        async with services.engine.connect() as connection:
            went_on = await find_autopilot(connection, number)
        assert held is not None
        assert went_on is not None
        assert went_on.since > held.since  # earlier failures are seen


async def test_feedback_that_is_too_late_or_too_early_to_tell_waits(
    services: Services, piloted: Context
) -> None:
    domain = piloted.domain or ""
    start = dt.datetime.now(dt.UTC)
    over = [start - WINDOW + dt.timedelta(microseconds=i) for i in range(3)]
    late = WINDOW.total_seconds() + 0.001
    await served(services, domain, [(over[0], 1.0, 1.0), (over[1], late, 1.0), (over[2], 5.0, 0.5)])
    await served(services, domain, [(start, 1.0, 1.0)])  # its window is open
    reward = (await show_autopilot(piloted)).reward
    assert reward is not None
    assert reward["expected_rewards"] == 2


async def test_another_size_is_for_the_next_reference(services: Services, piloted: Context) -> None:
    domain = piloted.domain or ""
    await rewarded(services, domain, [1.0, 0.0] * 100)
    await run_once(piloted)
    await turn_on(piloted, AutopilotPlan(calls_per_day=1_000, reference=400))
    reward = (await show_autopilot(piloted)).reward
    assert reward is not None
    assert (reward["expected_rewards"], reward["live_rewards"]) == (150, 50)
