"""What an autopilot sees of its domain."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import pytest_asyncio
from piloted import served
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.code_version import code_version
from re2llm.knowledge.autopilot.autopilots import (
    find_autopilot,
    set_autopilot_state,
    store_autopilot,
    store_decision,
)
from re2llm.knowledge.jobs.jobs import store_job
from re2llm.knowledge.schema.log import FeedbackRow, RecommendationRow
from re2llm.knowledge.schema.rollouts import ExposureRow, RolloutRow
from re2llm.knowledge.schema.tables import HintRow, ReleaseRow
from re2llm.operations.autopilot import manage as operation
from re2llm.operations.autopilot.manage import show_autopilot
from re2llm.operations.autopilot.view import observe
from re2llm.operations.loading.load import load_domain
from re2llm.operations.releases.rollouts import show_canary, start_canary, stop_canary
from re2llm.policies.autopilot.decision import Action, Observation, decide
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from rollouts import TwoReleases, fill, live_id, two_releases
from sqlalchemy import select, update


@pytest_asyncio.fixture
async def piloted(services: Services, domain: str) -> TwoReleases:
    """A domain with an autopilot, an active release, and one that waits."""
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(1, seed=1)])
    made = await two_releases(services, domain)
    async with services.engine.begin() as connection:
        plan = AutopilotPlan(calls_per_day=100).as_dict()
        await store_autopilot(connection, made.domain_id, plan, f"autopilot-{domain}")
    return made


async def step(services: Services, piloted: TwoReleases, kind: str, **values: Any) -> None:
    """Store a step of the autopilot."""
    async with services.engine.begin() as connection:
        await store_job(
            connection,
            piloted.domain_id,
            id=f"{kind}-{piloted.domain[-8:]}",
            kind=kind,
            arguments={},
            version=code_version(),
            autopilot=True,
            **values,
        )


async def look(services: Services, piloted: TwoReleases) -> Observation:
    options = await resolve_context(Context(domain=piloted.domain))
    async with services.engine.connect() as connection:
        autopilot = await find_autopilot(connection, piloted.domain_id)
        assert autopilot is not None
        return await observe(connection, autopilot, options)


@pytest.mark.parametrize(
    ("newest", "active", "waits"),
    [
        ({"gain": 0.2}, {"gain": 0.1}, True),
        ({"gain": 0.1}, {"gain": 0.1}, True),
        ({"gain": 0.09}, {"gain": 0.1}, False),
        ({"gain": -0.1}, {"gain": -0.2}, False),
        ({"gain": 0.2, "static_gain": 0.3, "stopped": "noise"}, {"gain": 0.1}, True),
        ({"gain": 0.2, "static_gain": 0.3, "worse": "It is."}, {"gain": 0.1}, False),
        ({"gain": 0.2, "static_gain": 0.3, "stopped": "limit"}, {"gain": 0.1}, False),
        ({"gain": 0.3, "static_gain": 0.3, "stopped": "limit"}, {"gain": 0.1}, True),
    ],
)
async def test_what_training_would_not_activate_is_not_rolled_out(
    services: Services,
    piloted: TwoReleases,
    newest: dict[str, Any],
    active: dict[str, Any],
    waits: bool,
) -> None:
    await step(services, piloted, "train", state="done", result={"release": 2})
    async with services.engine.begin() as connection:
        for number, metrics in ((1, active), (2, {"validation_sessions": 90} | newest)):
            await connection.execute(
                update(ReleaseRow)
                .where(ReleaseRow.domain_id == piloted.domain_id, ReleaseRow.number == number)
                .values(metrics=metrics)
            )
    assert (await look(services, piloted)).candidate == (2 if waits else None)


async def test_a_release_is_measured_against_one_that_can_serve(
    services: Services, piloted: TwoReleases
) -> None:
    await step(services, piloted, "train", state="done", result={"release": 2})
    releases = update(ReleaseRow).where(ReleaseRow.domain_id == piloted.domain_id)
    async with services.engine.begin() as connection:
        first = releases.where(ReleaseRow.number == 1)
        await connection.execute(first.values(metrics={"gain": 0.9}, model="another"))
    assert (await look(services, piloted)).candidate == 2
    async with services.engine.begin() as connection:
        await connection.execute(releases.values(prompt_version="another"))
    assert (await look(services, piloted)).candidate is None


TRAINED = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
"""When the training ended that the next test is about."""


@pytest.mark.parametrize(
    ("release", "new"),
    [
        ({}, False),
        ({"status": "inactive", "metrics": {"gain": -0.1, "worse": "It is."}}, False),
        ({"config": {"seconds": 3_500.0}}, False),
        ({"config": {"seconds": 3_700.0}}, True),
        ({"config": {"seconds": 60.0, "job": "person"}}, True),
        ({"config": {"seconds": 60.0, "job": "gone"}}, False),
        ({"model": "another"}, True),
        ({"prompt_version": "another"}, True),
        ({"created_at": TRAINED - dt.timedelta(hours=2)}, True),
    ],
)
async def test_what_anybody_has_trained_with_is_not_new(
    services: Services, piloted: TwoReleases, release: dict[str, Any], *, new: bool
) -> None:
    """A hint and a pick that came an hour before the end of a person's training."""
    before = TRAINED - dt.timedelta(hours=1)
    await served(services, piloted.domain, [(before, 0.0, 1.0)])
    async with services.engine.begin() as connection:
        feedback = select(RecommendationRow.id).where(
            RecommendationRow.domain_id == piloted.domain_id
        )
        picked = update(FeedbackRow).where(FeedbackRow.recommendation_id.in_(feedback))
        await connection.execute(picked.values(picked="alien-1979"))
        hints = update(HintRow).where(HintRow.id == piloted.hints[0])
        await connection.execute(hints.values(status_since=before))
        its = update(ReleaseRow).where(ReleaseRow.domain_id == piloted.domain_id)
        old = {"created_at": TRAINED - dt.timedelta(days=1)}
        await connection.execute(its.where(ReleaseRow.number == 1).values(old))
        values = {"created_at": TRAINED, **release}
        if "job" in (config := values.get("config", {})):
            values["config"] = config | {"job": f"{config['job']}-{piloted.domain[-8:]}"}
        await connection.execute(its.where(ReleaseRow.number == 2).values(values))
    await step(services, piloted, "person", created_at=before - dt.timedelta(minutes=1))
    seen = await look(services, piloted)
    assert (seen.fresh, seen.picks) == ((1, 1) if new else (0, 0))


async def test_while_it_is_off_no_reward_is_read(
    services: Services, piloted: TwoReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=piloted.domain)
    assert (await show_autopilot(context)).reward is not None
    async with services.engine.begin() as connection:
        await set_autopilot_state(connection, piloted.domain_id, "off")
    monkeypatch.delattr(operation, "live_reward_drift")
    assert (await show_autopilot(context)).reward is None


@pytest.mark.parametrize("state", ["running", "paused"])
async def test_an_older_step_that_was_retried_is_waited_for(
    services: Services, piloted: TwoReleases, state: str
) -> None:
    now = dt.datetime.now(dt.UTC)
    await step(services, piloted, "learn", state=state, created_at=now - dt.timedelta(hours=1))
    await step(services, piloted, "train", state="done", created_at=now)
    job = (await look(services, piloted)).job
    assert job is not None
    assert (job.kind, job.state) == ("learn", state)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"model": "another"}, "the model 'another', not 'offline'"),
        ({"prompt_version": "older"}, "(older; "),
        ({"encoder": "other-encoder"}, "the encoder 'other-encoder'"),
    ],
)
async def test_a_rollout_is_ended_once_no_request_has_belonged_to_it_for_long(
    services: Services, piloted: TwoReleases, changed: dict[str, str], named: str
) -> None:
    context = Context(domain=piloted.domain)
    await start_canary(context, 2)
    rollout = await live_id(services, piloted)
    its = update(ReleaseRow).where(ReleaseRow.domain_id == piloted.domain_id)
    async with services.engine.begin() as connection:
        await connection.execute(its.where(ReleaseRow.number == 2).values(changed))
    # A new one waits, and so does one that other processes still serve.
    await expect(services, piloted, (Action.WAIT, "rollout"), named)
    long_ago = {"created_at": dt.datetime.now(dt.UTC) - dt.timedelta(hours=25)}
    async with services.engine.begin() as connection:
        await connection.execute(update(RolloutRow).values(long_ago).filter_by(id=rollout))
    await fill(services, rollout, 0, canary=True, n=2, mean=0.5)
    await expect(services, piloted, (Action.WAIT, "rollout"), named)
    async with services.engine.begin() as connection:
        old = update(ExposureRow).values(long_ago)
        await connection.execute(old.where(ExposureRow.rollout_id == rollout))
    await expect(services, piloted, (Action.STOP_ROLLOUT, "misfit"), named)
    assert named in (await show_canary(context)).words
    stopped = await stop_canary(context)
    assert "belong" not in stopped.words


async def test_a_quiet_rollout_of_the_present_model_waits(
    services: Services, piloted: TwoReleases
) -> None:
    await start_canary(Context(domain=piloted.domain), 2)
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=90)
    async with services.engine.begin() as connection:
        its = update(RolloutRow).where(RolloutRow.domain_id == piloted.domain_id)
        await connection.execute(its.values(created_at=old))
    await expect(services, piloted, (Action.WAIT, "rollout"), "Release 2 is at 1 %")


async def expect(
    services: Services, piloted: TwoReleases, decided: tuple[Action, str], named: str
) -> None:
    """Check what an autopilot decides on what it sees, and that it says why."""
    decision = decide(AutopilotPlan(calls_per_day=100), await look(services, piloted))
    assert (decision.action, decision.reason) == decided
    assert named in decision.words


async def test_figures_of_older_decisions_have_their_present_names(
    services: Services, piloted: TwoReleases
) -> None:
    older = {"misses": 3, "usd_left": 1.5, "calls_left": None}
    now = {"misses": 4, "cost_left": 0.5, "llm_calls_left": 7}
    async with services.engine.begin() as connection:
        for reason, figures in (("misses", older), ("budget", now)):
            await store_decision(
                connection, piloted.domain_id, "wait", reason, "It waits.", figures=figures
            )
    shown = await show_autopilot(Context(domain=piloted.domain))
    assert [one.figures for one in shown.decisions] == [
        now,
        {"misses": 3, "cost_left": 1.5, "llm_calls_left": None},
    ]
