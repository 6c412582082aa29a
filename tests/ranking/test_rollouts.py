"""Rollouts in service: who gets which release, what is logged, and what survives a crash."""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
import torch
from fault_server import FaultServer
from pydantic import SecretStr
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge.log.feedback import logged_decisions
from re2llm.knowledge.rollouts.rollouts import claim_rollout, latest_rollout, rollout_events
from re2llm.knowledge.schema.tables import ReleaseRow
from re2llm.knowledge.served import active_release_number
from re2llm.llm.offline.model import OfflineRanker
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.releases.manage import activate_release, rollback_release, show_release
from re2llm.operations.releases.rollouts import (
    promote_canary,
    show_canary,
    start_canary,
    stop_canary,
)
from re2llm.policies.networks import PaperConfig, PaperPolicy
from re2llm.policies.rollout.assignment import place_of
from re2llm.policies.rollout.decision import Action, Verdict
from re2llm.policies.rollout.plan import Plan
from re2llm.policies.weights import dump_policy
from re2llm.ranking import rollouts as watch
from re2llm.ranking.exposures import ExposureEvent, exposure_of, forget_observer, observe_exposures
from re2llm.ranking.rollouts import look
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import FILM_IDS, TwoReleases, fill, live_id, two_releases
from sqlalchemy import event, text, update

PLAN = Plan(steps=(10, 50, 100), hold=5)


@pytest_asyncio.fixture
async def there(
    services: Services, domain: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TwoReleases]:
    """Two releases; looks are taken only where a test does it."""
    sessions = simulate_sessions(20, seed=1)
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    monkeypatch.setattr(services.watching, "send", lambda *_: None)
    yield await two_releases(services, domain)


async def ask(there: TwoReleases, user: str | None, **options: Any) -> Any:
    context = Context(domain=there.domain, **options)
    return await recommend(context, FILM_IDS[:2], candidates=FILM_IDS[2:14], user=user)


async def rows(services: Services, domain_id: int) -> list[Any]:
    statement = text(
        "SELECT e.*, r.policy, r.hint_id, r.probability AS hint_probability "
        "FROM re2llm.exposure e JOIN re2llm.rollout o ON o.id = e.rollout_id "
        "JOIN re2llm.recommendation r ON r.id = e.recommendation_id "
        "WHERE o.domain_id = :domain ORDER BY e.created_at"
    )
    async with services.engine.connect() as connection:
        return list((await connection.execute(statement, {"domain": domain_id})).mappings())


@pytest.mark.long
async def test_people_keep_their_side_and_gain_it_as_shares_rise(
    services: Services, there: TwoReleases
) -> None:
    people = [f"viewer-{n}" for n in range(40)]
    await start_canary(Context(), 2, domain=there.domain, plan=PLAN)
    async with services.engine.connect() as connection:
        rollout = await latest_rollout(connection, there.domain_id)
    assert rollout is not None
    served: dict[int, set[str]] = {}
    for step, share in enumerate((0.1, 0.5)):
        async with services.engine.begin() as connection:
            await connection.execute(
                text("UPDATE re2llm.rollout SET step = :step WHERE id = :id"),
                {"step": step, "id": rollout.id},
            )
        twice = [
            {p for p in people if (await ask(there, p)).hint.policy == "ppo:2"} for _ in range(2)
        ]
        assert twice[0] == twice[1]
        served[step] = twice[0]
        assert served[step] == {p for p in people if place_of(rollout.salt, f"user:{p}") < share}
    assert served[0] < served[1]
    for row in await rows(services, there.domain_id):
        share = (0.1, 0.5)[row["step"]]
        assert row["probability"] == pytest.approx(share if row["canary"] else 1 - share)
        assert row["hint_id"] == there.hints[row["canary"]]
        # Greedy releases that differ: the hint is as probable as its side.
        assert row["differs"]
        assert row["hint_probability"] == pytest.approx(row["probability"])
        assert not any(p.encode() in bytes(row["person"]) for p in people)
    assert len({row["person"] for row in await rows(services, there.domain_id)}) == len(people)


async def test_without_a_user_the_session_decides(services: Services, there: TwoReleases) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(50, 100)))
    first = {(await ask(there, None)).hint.policy for _ in range(3)}
    assert len(first) == 1
    assert len({row["person"] for row in await rows(services, there.domain_id)}) == 1


async def test_releases_that_choose_alike_do_not_differ_by_their_draws(
    services: Services, there: TwoReleases, adjust: Callable[..., None]
) -> None:
    """Even for strangers, of whom each request has a draw of its own, both have the same one."""
    even = PaperPolicy(PaperConfig(384, 2))
    with torch.no_grad():
        for parameter in even.actor[-1].parameters():
            parameter.zero_()
    async with services.engine.begin() as connection:
        statement = text(
            "UPDATE re2llm.policy_release SET weights = :weights WHERE domain_id = :domain"
        )
        values = {"weights": dump_policy(even)[0], "domain": there.domain_id}
        await connection.execute(statement, values)
    adjust(explore=True)
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(50, 100)))
    made = [await ask(there, None) for _ in range(8)]
    assert len({answer.hint.id for answer in made}) > 1
    logged = await rows(services, there.domain_id)
    assert {(row["differs"], round(row["hint_probability"], 6)) for row in logged} == {
        (False, round(1 / 3, 6))
    }


async def test_a_shadow_step_is_logged_and_not_used(services: Services, there: TwoReleases) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(0, 50), hold=3))
    for n in range(3):
        made = await ask(there, f"viewer-{n}")
        assert (made.hint.policy, made.hint.probability) == ("ppo:1", 1.0)
    logged = await rows(services, there.domain_id)
    assert [(row["canary"], row["differs"]) for row in logged] == [(False, True)] * 3


async def test_what_is_not_recorded_belongs_to_no_rollout(
    services: Services, there: TwoReleases
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(99.9999,)))
    assert (await ask(there, "a", record=False)).hint.policy == "ppo:1"
    assert (await ask(there, "a", policy="none")).hint.policy == "none"
    assert await rows(services, there.domain_id) == []


@pytest.mark.long
async def test_a_release_that_fails_to_choose_harms_no_request(
    services: Services, there: TwoReleases, caplog: pytest.LogCaptureFixture
) -> None:
    plan = Plan(steps=(99.9999,), hold=10)
    await start_canary(Context(), 2, domain=there.domain, plan=plan)
    async with services.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE re2llm.policy_release SET weights = 'broken' "
                "WHERE domain_id = :d AND number = 2"
            ),
            {"d": there.domain_id},
        )
    told: list[ExposureEvent] = []
    observe_exposures(told.append)
    with caplog.at_level(logging.WARNING):
        for n in range(60):
            made = await ask(there, f"viewer-{n}")
            assert made.hint.policy == "ppo:1"
    forget_observer(told.append)
    # The active release served, whatever was assigned.
    served = [one.attributes["feature_flag.result.variant"] for one in told]
    assert served == ["control"] * 60
    assert not any("feature_flag.result.value" in one.attributes for one in told)
    assert all(row["failed"] for row in await rows(services, there.domain_id))
    verdict = await look(services, await live_id(services, there), pause=0)
    assert verdict is not None
    assert (verdict.action, verdict.reason) == (Action.TAKE_BACK, "failures")
    assert "failed to choose" in caplog.text


async def test_a_request_for_another_model_says_nothing_about_the_release(
    services: Services, there: TwoReleases
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(99.9999,), hold=10))
    services.models.register("another", OfflineRanker())
    for n in range(3):
        made = await ask(there, f"viewer-{n}", model="another")
        assert made.hint.policy == "static"
        assert "release_skipped" in made.flags
    assert await rows(services, there.domain_id) == []
    assert (await ask(there, "viewer-0")).hint.policy == "ppo:2"
    assert [row["failed"] for row in await rows(services, there.domain_id)] == [False]


async def test_a_hint_that_no_model_reads_still_counts_as_a_request(
    services: Services, there: TwoReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(50, 100)))
    monkeypatch.setattr("re2llm.nodes.select_hint.needs_model", lambda *_: False)
    for n in range(12):
        assert (await ask(there, f"viewer-{n}")).hint.policy == "none"
    logged = await rows(services, there.domain_id)
    assert {row["canary"] for row in logged} == {False, True}
    assert len(logged) == 12
    assert not any(row["differs"] or row["failed"] for row in logged)


@pytest.mark.parametrize(
    ("prices", "tokens"),
    [
        ({}, 100 + 10),  # without a price, a token out counts as one in
        ({"m": (2.0, 8.0)}, 100 + 4 * 10),
        ({"m": (2.0, 8.0, 0.5)}, 60 + 40 / 4 + 4 * 10),  # 40 of those in were cached
        ({"m": (0.0, 8.0)}, 8 * 10),
    ],
)
def test_cost_is_in_tokens_in(prices: Any, tokens: float) -> None:
    assigned: Any = {"rollout": 1, "step": 0, "person": "", "canary": True, "probability": 1.0}
    assigned |= {"differs": True, "failed": False}
    for model, known in (("m", prices), ("offline", {"offline": prices["m"]} if prices else {})):
        made = exposure_of(
            assigned,
            flags=[],
            full_usage={"latency_ms": 1.0, "in": 100, "out": 10, "cached": 40},
            prices=known,
            model=model,
        )
        assert made.cost == pytest.approx(math.log1p(tokens))


async def test_exposures_are_logged_while_a_look_holds_the_rollout(
    services: Services, there: TwoReleases
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=PLAN)
    rollout = await live_id(services, there)
    async with services.engine.begin() as connection:
        assert await claim_rollout(connection, rollout) is not None
        async with services.engine.begin() as other:
            assert await claim_rollout(other, rollout) is None  # one look at a time
        await ask(there, "viewer-1")  # else it waits, and is not logged
    assert len(await rows(services, there.domain_id)) == 1


async def test_an_answer_that_was_paid_for_before_costs_as_much_as_a_new_one(
    services: Services, there: TwoReleases, adjust: Callable[..., None]
) -> None:
    """A new release's prompts are new: its answers are not in the store yet."""
    model = "openai:a-paid-one"
    async with services.engine.begin() as connection:
        serving = text("UPDATE re2llm.policy_release SET model = :model WHERE domain_id = :domain")
        await connection.execute(serving, {"model": model, "domain": there.domain_id})
    await start_canary(Context(model=model), 2, domain=there.domain, plan=Plan(steps=(0, 50)))
    with FaultServer().running() as server:
        adjust(base_url=server.url, api_key=SecretStr("sk-none"), structured="plain")
        for user in ("viewer-1", "viewer-1", "viewer-2"):
            await ask(there, user, model=model)
        assert len(server.asked) == 1
    paid, *stored = await rows(services, there.domain_id)
    assert paid["cost"] == pytest.approx(math.log1p(120))
    assert len(stored) == 2
    for again in stored:
        assert again["cost"] == paid["cost"]
        assert again["latency"] == pytest.approx(paid["latency"], rel=1e-3)


async def test_feedback_in_time_late_never_and_none_of_these_are_told_apart(
    services: Services, there: TwoReleases
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(99.9999,), window=60))
    made = [await ask(there, f"viewer-{n}") for n in range(6)]

    async def age(which: list[int]) -> None:
        async with services.engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE re2llm.exposure SET created_at = created_at - interval '1 hour' "
                    "WHERE recommendation_id = ANY(:ids)"
                ),
                {"ids": [uuid.UUID(made[n].recommendation_id) for n in which]},
            )

    async def feedback(n: int, picked: str | None) -> None:
        key = made[n].recommendation_id
        await give_feedback(Context(), key, picked, domain=there.domain, learn=False)

    await feedback(0, made[0].ranking[0])  # a pick in time
    await feedback(1, None)  # none of these, in time
    await age([2, 3])
    await feedback(2, None)  # late; 3 never comes
    await age([0])
    await feedback(0, made[0].ranking[0])  # the same again changes nothing
    shown = await show_canary(Context(), domain=there.domain)
    counts = shown.canary_counts
    assert shown.control_counts.exposures == 0
    assert (counts.exposures, counts.answered, counts.none_picked) == (6, 2, 1)
    assert (counts.waiting, counts.silent, counts.late) == (2, 2, 1)
    assert shown.differ == sum(r["differs"] for r in await rows(services, there.domain_id))
    assert shown.differ == 6
    (first,) = [r for r in await rows(services, there.domain_id) if r["reward"] == 1.0]
    assert not first["late"]


@pytest.mark.long
async def test_off_policy_estimates_can_use_the_log_of_a_rollout(
    services: Services, there: TwoReleases
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(50, 100)))
    for n in range(30):
        made = await ask(there, f"viewer-{n}")
        await give_feedback(
            Context(), made.recommendation_id, made.ranking[n % 3], domain=there.domain, learn=False
        )
    async with services.engine.connect() as connection:
        logged = await logged_decisions(connection, there.domain_id)
    assert {decision.probability for decision in logged} == {0.5}
    # Importance weights of release 2 are 2 where it chose and 0 elsewhere: 1 on average.
    weights = [(d.hint_id == there.hints[1]) / d.probability for d in logged]
    assert set(weights) == {0.0, 2.0}


async def test_exposures_are_told_in_openfeatures_shape(
    services: Services, there: TwoReleases, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[ExposureEvent] = []

    def broken(_: ExposureEvent) -> None:
        raise RuntimeError("analytics are down")

    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(99.9999,)))
    for observer in (told.append, broken):
        observe_exposures(observer)
    try:
        with caplog.at_level(logging.INFO, logger="re2llm.ranking.exposures"):
            made = await ask(there, "Ada Lovelace")
    finally:
        for observer in (told.append, broken):
            forget_observer(observer)
    assert made.recommendation_id
    (event_,) = told
    assert event_.name == "feature_flag.evaluation"
    assert event_.attributes["feature_flag.context.id"] == "Ada Lovelace"
    assert event_.attributes["feature_flag.result.variant"] == "canary"
    assert event_.attributes["feature_flag.result.reason"] == "split"
    logged = [r for r in caplog.records if r.message == "feature_flag.evaluation"]
    assert logged[0].event["feature_flag.key"] == f"re2llm.release.{there.domain}"  # type: ignore[attr-defined]
    assert "Ada" not in str(logged[0].__dict__)
    assert "an observer of exposures failed" in caplog.text


@pytest.mark.long
async def test_a_worse_release_is_taken_back_and_serves_no_later_request(
    services: Services, there: TwoReleases, caplog: pytest.LogCaptureFixture
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(50, 100), hold=100))
    rollout = await live_id(services, there)
    await fill(services, rollout, 0, canary=False, n=900, mean=0.7)
    await fill(services, rollout, 0, canary=True, n=900, mean=0.3)
    before = {(await ask(there, f"viewer-{n}")).hint.policy for n in range(12)}
    assert before == {"ppo:1", "ppo:2"}
    with caplog.at_level(logging.WARNING):
        await look(services, rollout, pause=0)
    assert {(await ask(there, f"viewer-{n}")).hint.policy for n in range(12)} == {"ppo:1"}
    shown = await show_canary(Context(), domain=there.domain)
    assert (shown.state, shown.reason, shown.percent) == ("taken_back", "worse", 0)
    assert shown.events[-1].figures["reward"]["high"] < 0
    assert "taken_back (worse)" in caplog.text
    listed = await show_release(Context(), 2, domain=there.domain)
    assert listed.rollout is not None
    assert listed.rollout.state == "taken_back"
    assert "lower" in listed.rollout.words


async def climb(services: Services, there: TwoReleases) -> int:
    """Start a rollout of a better release that may take its first step."""
    await start_canary(Context(), 2, domain=there.domain, plan=replace(PLAN, hold=100))
    rollout = await live_id(services, there)
    await fill(services, rollout, 0, canary=False, n=4_500, mean=0.3)
    await fill(services, rollout, 0, canary=True, n=500, mean=0.6)
    return rollout


async def test_a_better_release_climbs_and_is_activated(
    services: Services, there: TwoReleases
) -> None:
    rollout = await climb(services, there)
    await look(services, rollout, pause=0)
    assert (await show_canary(Context(), domain=there.domain)).percent == 50
    await fill(services, rollout, 1, canary=False, n=500, mean=0.3)
    await fill(services, rollout, 1, canary=True, n=500, mean=0.6)
    await look(services, rollout, pause=0)
    shown = await show_canary(Context(), domain=there.domain)
    assert [event_.kind for event_ in shown.events] == ["started", "step", "promoted"]
    async with services.engine.connect() as connection:
        assert await active_release_number(connection, there.domain_id) == 2
    assert await look(services, rollout, pause=0) is None
    assert (await ask(there, "anybody")).hint.policy == "ppo:2"


async def test_servers_that_look_at_once_take_one_step(
    services: Services, there: TwoReleases
) -> None:
    rollout = await climb(services, there)
    verdicts = await asyncio.gather(*(look(services, rollout, pause=0) for _ in range(8)))
    taken = [v for v in verdicts if v is not None and v.action is Action.STEP]
    assert len(taken) == 1
    async with services.engine.connect() as connection:
        events = await rollout_events(connection, rollout)
    assert [found["kind"] for found in events] == ["started", "step"]
    # Nobody looks again before the pause is over.
    assert await look(services, rollout, pause=60) is None


async def test_the_longer_a_look_takes_the_longer_is_the_pause(
    services: Services, there: TwoReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=PLAN)
    rollout = await live_id(services, there)
    clock = iter((100.0, 103.0))  # a look of 3 seconds
    with monkeypatch.context() as patched:
        patched.setattr(watch, "monotonic", lambda: next(clock))
        assert await look(services, rollout) is not None

    async def last_look_was(seconds: float) -> None:
        async with services.engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE re2llm.rollout SET looked_at = now() - make_interval(secs => :ago) "
                    "WHERE id = :id"
                ),
                {"ago": seconds, "id": rollout},
            )

    await last_look_was(50)
    assert await look(services, rollout) is None
    await last_look_was(70)
    assert await look(services, rollout) is not None


class CrashError(BaseException):
    """Nothing catches it but the test."""


class Crash:
    """Lets some statements pass, and breaks off before the next one."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, *_: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise CrashError


@pytest.mark.long
async def test_a_crash_at_any_statement_leaves_the_rollout_as_it_was(
    services: Services, there: TwoReleases
) -> None:
    """A look that promotes is broken off before each of its statements."""
    rollout = await climb(services, there)
    await look(services, rollout, pause=0)
    await fill(services, rollout, 1, canary=False, n=500, mean=0.3)
    await fill(services, rollout, 1, canary=True, n=500, mean=0.6)
    async with services.engine.connect() as connection:
        before = await latest_rollout(connection, there.domain_id)
        said = await rollout_events(connection, rollout)
    engine = services.engine.sync_engine
    crashes, verdict = 0, None
    while verdict is None:
        crash = Crash(crashes)
        event.listen(engine, "before_cursor_execute", crash)
        try:
            verdict = await look(services, rollout, pause=0)
        except CrashError:
            crashes += 1
        finally:
            event.remove(engine, "before_cursor_execute", crash)
        if verdict is None:
            async with services.engine.connect() as connection:
                assert await latest_rollout(connection, there.domain_id) == before
                assert await rollout_events(connection, rollout) == said
                assert await active_release_number(connection, there.domain_id) == 1
    assert crashes >= 8
    assert isinstance(verdict, Verdict)
    async with services.engine.connect() as connection:
        after = await latest_rollout(connection, there.domain_id)
        assert after is not None
        assert after.state == "promoted"
        assert await active_release_number(connection, there.domain_id) == 2


async def test_an_exposure_is_stored_with_its_recommendation_or_not_at_all(
    services: Services, there: TwoReleases
) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(50, 100)))

    def crash(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INSERT INTO re2llm.exposure" in statement:
            raise OSError("gone")

    event.listen(services.engine.sync_engine, "before_cursor_execute", crash)
    try:
        made = await ask(there, "a")
    finally:
        event.remove(services.engine.sync_engine, "before_cursor_execute", crash)
    assert made.recommendation_id is None
    assert "not_logged" in made.flags
    async with services.engine.connect() as connection:
        count = await connection.scalar(
            text("SELECT count(*) FROM re2llm.recommendation WHERE domain_id = :d"),
            {"d": there.domain_id},
        )
    assert count == 0


async def test_a_person_stops_promotes_or_activates_another(
    services: Services, there: TwoReleases
) -> None:
    where: dict[str, Any] = {"domain": there.domain}
    for verb in (show_canary, stop_canary):
        with pytest.raises(InputError, match="was rolled out"):
            await verb(Context(), **where)
    with pytest.raises(InputError, match="is active"):
        await start_canary(Context(), 1, **where)
    with pytest.raises(InputError, match="no release 9"):
        await start_canary(Context(), 9, **where)
    await start_canary(Context(), 2, plan=PLAN, **where)
    with pytest.raises(InputError, match="is being rolled out"):
        await start_canary(Context(), 2, plan=PLAN, **where)
    assert (await stop_canary(Context(), **where)).state == "stopped"
    again = await stop_canary(Context(), **where)
    assert (again.number, again.state, len(again.events)) == (1, "stopped", 2)
    with pytest.raises(InputError, match="being rolled out"):
        await promote_canary(Context(), **where)
    await start_canary(Context(), 2, plan=PLAN, **where)
    await activate_release(Context(), 1, **where)  # it is active already, so nothing changes
    shown = await show_canary(Context(), **where)
    assert (shown.number, shown.state, len(shown.events)) == (2, "running", 1)
    await activate_release(Context(), 2, **where)
    shown = await show_canary(Context(), **where)
    assert (shown.number, shown.state, shown.reason) == (2, "stopped", "activated")
    await rollback_release(Context(), **where)
    await start_canary(Context(), 2, plan=PLAN, **where)
    assert (await promote_canary(Context(), **where)).state == "promoted"
    assert (await rollback_release(Context(), **where)).id == 1


@pytest.mark.parametrize("ended", ["promoted", "activated", "promoted as the first"])
async def test_a_stop_that_came_too_late_does_not_seem_to_work(
    services: Services, there: TwoReleases, ended: str
) -> None:
    where: dict[str, Any] = {"domain": there.domain}
    if ended == "promoted as the first":
        async with services.engine.begin() as connection:
            its = update(ReleaseRow).where(ReleaseRow.domain_id == there.domain_id)
            await connection.execute(its.values(status="inactive", activated_at=None))
    await start_canary(Context(), 2, plan=PLAN, **where)
    if ended == "activated":
        await activate_release(Context(), 2, **where)
    else:
        await promote_canary(Context(), **where)
    for named in ({}, {"release": 2}):
        with pytest.raises(InputError) as caught:
            await stop_canary(Context(), **where, **named)
        told = f"Release 2 was {ended.split(maxsplit=1)[0]}, and serves everybody now."
        assert (caught.value.field, told in caught.value.problem) == ("release", True)
        rollback = f"re2llm policy rollback --domain {there.domain}"
        assert (rollback in caught.value.remedy) == (ended != "promoted as the first")
    if ended == "promoted as the first":
        return
    await rollback_release(Context(), **where)
    before = await show_canary(Context(), **where)
    assert await stop_canary(Context(), **where) == before


async def test_feedback_brings_the_next_look(
    services: Services, there: TwoReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call of `look` here: the request and its feedback send it."""
    sent = type(services.watching).send
    monkeypatch.setattr(services.watching, "send", partial(sent, services.watching))
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.0)
    real: Callable[..., Any] = watch.look
    monkeypatch.setattr(watch, "look", lambda *given: real(*given, pause=0))
    rollout = await climb(services, there)
    made = await ask(there, "a")
    await services.watching.idle()
    await give_feedback(Context(), made.recommendation_id, None, domain=there.domain, learn=False)
    await services.watching.idle()
    async with services.engine.connect() as connection:
        kinds = [found["kind"] for found in await rollout_events(connection, rollout)]
    assert kinds == ["started", "step"]
