"""Training that chooses which cells to pay for, on the sample films."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import BudgetSpentError, InputError
from re2llm.jobs.queue.control import job
from re2llm.jobs.queue.submit import Origin, submit
from re2llm.jobs.worker import pieces
from re2llm.knowledge.autopilot.autopilots import store_autopilot
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import add_hint, hint_key, list_hints
from re2llm.knowledge.hint_store.reflections import (
    Proposal,
    Reflection,
    store_proposal,
    store_reflection,
)
from re2llm.knowledge.releases import fetch_release
from re2llm.knowledge.sessions.training_sessions import session_keys
from re2llm.operations.hints.manage import list_hints as listed_hints
from re2llm.operations.loading.load import load_domain
from re2llm.operations.releases.manage import list_releases
from re2llm.operations.sessions.enough import FEWEST_TO_TRAIN, too_few_calls
from re2llm.operations.training import few_cells, judged, tried
from re2llm.operations.training import train as operation
from re2llm.operations.training.calls_left import CallsLeft
from re2llm.operations.training.judged import clearly_worse
from re2llm.operations.training.own_cells import fair, rows_to_judge
from re2llm.operations.training.results import what_more_would_bring
from re2llm.policies import recipes
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.policies.value_of_sessions import ExpectedGain
from re2llm.ranking.hints.panels import random_sessions
from re2llm.ranking.hints.rewards import RewardTable
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

HINTS = [
    "Give more weight to how often it was chosen right before or after the most recent items.",
    "Prefer the same director as in the history.",
    "Prefer recent titles.",
    "Trust what people with a similar session chose.",
    "Prefer what is rarely chosen.",
]
SESSIONS = simulate_sessions(16, seed=5)
FIRST = 4


@pytest.fixture
async def school(
    services: Services, domain: str, adjust: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> str:
    """The sample films with sessions enough for a choice, and five hints that nobody tried."""
    usual = recipes.default_config

    def short(
        recipe: recipes.PolicyRecipe, *, seed: int = 0, most: int = 1
    ) -> recipes.TrainingConfig:
        config = usual(recipe, seed=seed, most=most)
        members = min(config.members, 2)
        return replace(config, ppo=replace(config.ppo, updates=4), members=members)

    monkeypatch.setattr(operation, "default_config", short)
    monkeypatch.setattr(few_cells, "ROUND", 16)
    adjust(verify_random=FIRST, verify_doubtful=1, train_panel=FIRST, max_hints=1)
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    vectors = services.embedder.encode(HINTS)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for hint, vector in zip(HINTS, vectors, strict=True):
            await add_hint(connection, found.id, hint, vector, provenance={})
    return domain


Cells = set[tuple[int, bytes]]


def cells(url: str, domain: str) -> Cells:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return set(
            connection.execute(
                "SELECT session_id, hint_key FROM re2llm.hint_trial AS t JOIN re2llm.domain AS d "
                "ON d.id = t.domain_id WHERE d.name = %s",
                [domain],
            ).fetchall()
        )


def gains(url: str, domain: str, key: bytes) -> list[float]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT t.ndcg - p.ndcg FROM re2llm.hint_trial AS t JOIN re2llm.hint_trial AS p "
            "USING (domain_id, session_id, model, prompt_version) JOIN re2llm.domain AS d "
            "ON d.id = domain_id WHERE d.name = %s AND t.hint_key = %s AND p.hint_key = ''",
            [domain, key],
        ).fetchall()
    return [row[0] for row in rows]


def weights(url: str, domain: str) -> list[str]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT encode(weights, 'hex') FROM re2llm.policy_release AS r "
            "JOIN re2llm.domain AS d ON d.id = domain_id WHERE d.name = %s ORDER BY r.number",
            [domain],
        ).fetchall()
    return [row[0] for row in rows]


def forget(url: str, domain: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for table in ("hint_trial", "policy_release"):
            connection.execute(
                f"DELETE FROM re2llm.{table} WHERE domain_id = "
                "(SELECT id FROM re2llm.domain WHERE name = %s)",
                [domain],
            )


@pytest.mark.long
async def test_an_interrupted_training_goes_on_where_it_ended(school: str, url: str) -> None:
    """A run that a limit ended, and one that goes on, against one that nothing disturbed."""
    context = Context(domain=school, seed=3)
    whole = await operation.train(context, force=True)
    count = len(SESSIONS)
    assert whole.visits_ended_by == "all"
    assert whole.visited_sessions == whole.validation_sessions == count - FIRST
    assert whole.cells == whole.all_cells == whole.llm_calls == count * (len(HINTS) + 1)
    expected, [released] = cells(url, school), weights(url, school)

    forget(url, school)
    limit = 80
    part = await operation.train(context, force=True, max_llm_calls=limit)
    assert part.visits_ended_by == "limit"
    assert len(cells(url, school)) == part.llm_calls <= limit
    assert part.visited_sessions == (limit - FIRST * (len(HINTS) + 1)) // (len(HINTS) + 1)
    assert "Stopped by the limit" in what_more_would_bring(part)
    assert cells(url, school) < expected
    again = await operation.train(context, force=True)
    assert weights(url, school)[1] == released
    assert (again.gain, again.static_gain) == (whole.gain, whole.static_gain)
    assert cells(url, school) == expected
    assert part.llm_calls + again.llm_calls == len(expected)


@pytest.mark.long
async def test_only_the_best_hints_are_tried_beyond_the_panel(
    school: str, services: Services, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tried, "BEST_HINTS", 2)
    trained = await operation.train(Context(domain=school), force=True)
    count = len(SESSIONS)
    assert trained.llm_calls == FIRST * (1 + len(HINTS)) + (count - FIRST) * 3
    async with services.engine.begin() as connection:
        found = await find_domain(connection, school)
        release = await fetch_release(connection, found.id, trained.release)
        hints = await list_hints(connection, found.id)
        sessions = random_sessions(await session_keys(connection, found.id), count, 0)
    panel = set(sessions[:FIRST])
    beyond = {key for session, key in cells(url, school) if session not in panel}
    by_key = {hint_key(hint.text): hint.id for hint in hints}
    best = {by_key[key] for key in beyond if key}
    assert set(release.hint_ids) == best
    assert len(best) == 2
    # It was trained with all trials, and is served with what it was trained with.
    stats = release.config["hints"]["stats"]
    assert stats.keys() == {str(hint) for hint in best}
    assert {one["trials"] for one in stats.values()} == {count}
    assert release.config["hints"]["left_out"] == sorted({hint.id for hint in hints} - best)
    assert 0 < release.config["seconds"] <= trained.seconds
    gained = gains(url, school, hint_key(next(h.text for h in hints if h.id in best)))
    first = stats[str(next(h.id for h in hints if h.id in best))]
    assert first["mean_gain"] == pytest.approx(np.mean(gained))
    assert first["gain_error"] == pytest.approx(np.std(gained, ddof=1) / len(gained) ** 0.5)
    assert (first["helped"], first["harmed"]) == (
        sum(gain > 0 for gain in gained),
        sum(gain < 0 for gain in gained),
    )


@pytest.mark.slow
async def test_a_job_makes_the_same_release(school: str, url: str) -> None:
    await operation.train(Context(domain=school), force=True)
    alone, expected = weights(url, school), cells(url, school)
    forget(url, school)
    submitted = await submit(Context(domain=school), "train", {"force": True})
    plan = await pieces.plan(submitted.id, submitted.attempt)
    assert plan is not None
    assert len(plan["pieces"]) == FIRST
    for piece in reversed(plan["pieces"]):  # in any order, by any worker
        await pieces.do_piece(submitted.id, submitted.attempt, plan["shared"], piece)
    await pieces.finish(submitted.id, submitted.attempt, plan["shared"], {})
    done = (await job(Context(), submitted.id)).job
    assert (done.state, done.reason) == ("done", "")
    assert weights(url, school) == alone
    assert cells(url, school) == expected
    assert done.result["llm_calls"] == len(expected)


@pytest.mark.long
async def test_a_limited_job_ends_with_a_release(school: str, url: str) -> None:
    limit = 80
    submitted = await submit(Context(domain=school), "train", {"force": True}, max_llm_calls=limit)
    plan = await pieces.plan(submitted.id, submitted.attempt)
    assert plan is not None
    for piece in plan["pieces"]:
        await pieces.do_piece(submitted.id, submitted.attempt, plan["shared"], piece)
    await pieces.finish(submitted.id, submitted.attempt, plan["shared"], {})
    done = (await job(Context(), submitted.id)).job
    assert (done.state, done.result["visits_ended_by"]) == ("done", "limit")
    assert len(cells(url, school)) == done.llm_calls <= limit


MONEY = 0.15
"""At a dollar for a million tokens, it pays for some hundred calls."""


@pytest.mark.long
async def test_a_limit_of_money_leaves_enough_to_validate_with(
    school: str, adjust: Callable[..., None]
) -> None:
    adjust(prices={"offline": [1.0, 1.0]}, call_cache=False)
    trained = await operation.train(Context(domain=school), force=True, max_cost=MONEY)
    assert trained.visits_ended_by == "limit"
    assert trained.validation_sessions >= FEWEST_TO_TRAIN
    assert 0.6 * MONEY < trained.cost <= MONEY


@pytest.mark.long
async def test_a_limit_of_money_is_presumed_where_the_panel_was_paid_before(
    school: str, adjust: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    await operation.train(Context(domain=school), force=True, max_llm_calls=80)
    adjust(prices={"offline": [1.0, 1.0]}, call_cache=False)
    allowed = list[float]()
    counting = CallsLeft.count

    async def noting(self: CallsLeft) -> float:
        allowed.append(await counting(self))
        return allowed[-1]

    monkeypatch.setattr(CallsLeft, "count", noting)
    trained = await operation.train(Context(domain=school), force=True, max_cost=MONEY)
    assert allowed[0] < 1_000  # before any call
    assert trained.validation_sessions >= FEWEST_TO_TRAIN
    assert trained.cost <= MONEY


@pytest.mark.long
@pytest.mark.parametrize("of", ["job", "day"])
async def test_a_job_with_little_money_ends_with_a_release(
    school: str,
    services: Services,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    of: str,
) -> None:
    adjust(prices={"offline": [1.0, 1.0]}, call_cache=False, concurrency=1)
    context = Context(domain=school)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, school)
        plan = AutopilotPlan(usd_per_day=MONEY if of == "day" else 10 * MONEY)
        await store_autopilot(connection, found.id, plan.as_dict(), "")
    limits = {"max_cost": MONEY} if of == "job" else {}
    made = await submit(context, "train", {"force": True}, origin=Origin(autopilot=True), **limits)
    plan = await pieces.plan(made.id, made.attempt)
    assert plan is not None
    for piece in plan["pieces"]:
        await pieces.do_piece(made.id, made.attempt, plan["shared"], piece)
    await pieces.finish(made.id, made.attempt, plan["shared"], {})
    done = (await job(Context(), made.id)).job
    assert (done.state, done.reason) == ("done", "")
    assert done.result["visits_ended_by"] == "limit"
    assert done.result["validation_sessions"] >= FEWEST_TO_TRAIN
    assert 0.6 * MONEY < done.cost <= MONEY


@pytest.mark.long
async def test_a_policy_from_few_calls_serves_if_it_is_no_worse_than_one_hint(
    school: str, url: str
) -> None:
    trained = await operation.train(Context(domain=school), max_llm_calls=80)
    assert trained.visits_ended_by == "limit"
    assert trained.active == (trained.gain >= trained.static_gain and not trained.why_not)
    assert trained.active or "gains more" in trained.why_not or "worse" in trained.why_not
    assert len(weights(url, school)) == 1  # stored in any case
    [release] = (await list_releases(Context(domain=school))).releases
    assert release.metrics["stopped"] == "limit"  # the name that older processes read
    assert "visits_ended_by" not in release.metrics


@pytest.mark.parametrize(("gain", "refused"), [(0.1, True), (0.2, False), (0.3, False)])
def test_a_worse_policy_is_refused(gain: float, *, refused: bool) -> None:
    found = too_few_calls({"gain": gain, "static_gain": 0.2, "validation_sessions": 90})
    assert bool(found) == refused
    assert not refused or "+0.200 against +0.100 on 90 sessions" in found


@pytest.mark.long
async def test_too_small_a_limit_is_told(school: str, url: str) -> None:
    for limit in (5, FIRST * (len(HINTS) + 1) + 3):
        with pytest.raises(BudgetSpentError, match="limit"):
            await operation.train(Context(domain=school), max_llm_calls=limit)
    assert weights(url, school) == []


@pytest.mark.parametrize("end", ["limit", "cancelled"])
async def test_what_an_interrupted_training_has_tried_is_shown(
    school: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if end == "cancelled":

        async def leave(*_: object) -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(
            tried, "try_every_hint_on_panel", _then(tried.try_every_hint_on_panel, leave)
        )
    limit = 3 * (len(HINTS) + 1) if end == "limit" else None
    with pytest.raises((BudgetSpentError, asyncio.CancelledError)):
        await operation.train(Context(domain=school), max_llm_calls=limit)
    listed = await listed_hints(Context(domain=school))
    assert sum(hint.trials > 0 for hint in listed.hints) >= 2


def _then(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
    async def both(*arguments: object) -> None:
        await first(*arguments)
        await second()

    return both


@pytest.mark.long
async def test_a_hint_is_not_tried_where_it_was_proposed(
    school: str, services: Services, url: str
) -> None:
    """Such sessions are passed over, beyond the panel, which every hint is tried on."""
    async with services.engine.begin() as connection:
        found = await find_domain(connection, school)
        keys = random_sessions(await session_keys(connection, found.id), len(SESSIONS), 0)
        hints = await list_hints(connection, found.id)
        for row, session in enumerate(keys):
            told = Reflection(session, "m", "1", 20, "", [])
            reflection = await store_reflection(connection, found.id, told)
            # Every second session is one that all but two hints were proposed on.
            for hint in hints[: 3 * (row % 2)]:
                proposal = Proposal(hint.text, "stored", "", hint.id)
                await store_proposal(connection, found.id, reflection, proposal)
    trained = await operation.train(Context(domain=school), force=True)
    flattered = set(keys[1::2]) - set(keys[:FIRST])
    own = {hint_key(hint.text) for hint in hints[:3]}
    assert not {(session, key) for session, key in cells(url, school) if key in own} & {
        (session, key) for session in flattered for key in own
    }
    assert trained.visited_sessions == len(set(keys[FIRST:]) - flattered)


def test_only_a_clear_loss_is_clearly_worse() -> None:
    nothing = np.zeros(40)
    assert not clearly_worse(np.array([0.2, -0.3, 0.1, -0.1]), nothing[:4])  # may be chance
    assert not clearly_worse(nothing, nothing)
    found = clearly_worse(np.array([-0.1, 0.0] * 20), nothing)
    assert found == "It is worse than no hint: -0.050 on 40 sessions."


def test_a_clear_loss_against_the_best_single_hint_is_harmful_too() -> None:
    """In the same sessions, however much both vary between sessions."""
    static = np.linspace(-0.5, 0.9, 40)
    assert not clearly_worse(static, static)
    assert not clearly_worse(static + np.array([0.2, -0.3] * 20), static)  # may be chance
    assert not clearly_worse(static + 0.1, static)
    found = clearly_worse(static - np.array([0.1, 0.0] * 20), static)
    assert found == "It is worse than the best single hint: -0.050 on 40 sessions."


@pytest.mark.long
async def test_training_activates_no_policy_that_is_clearly_worse(
    school: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float]] = []

    def noting(gains: Any, static: Any) -> str:
        seen.append((round(float(gains.mean()), 5), round(float(static.mean()), 5)))
        return "It is worse."

    monkeypatch.setattr(judged, "clearly_worse", noting)
    trained = await operation.train(Context(domain=school))
    assert seen == [(trained.gain, trained.static_gain)]
    assert (trained.active, trained.why_not) == (False, "It is worse.")
    async with services.engine.connect() as connection:
        found = await find_domain(connection, school)
        release = await fetch_release(connection, found.id, trained.release)
    assert release.metrics["worse"] == "It is worse."
    # Also where nobody asked to activate it, so that nobody takes it for a good one.
    waiting = await operation.train(Context(domain=school), activate=False)
    assert waiting.why_not == "It is worse. It was asked for without activating it."
    assert (await operation.train(Context(domain=school), force=True)).active


@pytest.mark.long
@pytest.mark.usefixtures("quick_training")
async def test_a_release_that_waits_is_told_to_gain_less_than_the_active_one(
    school: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged, "clearly_worse", lambda *_: "")
    first = await operation.train(Context(domain=school), force=True)
    async with services.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE re2llm.policy_release SET metrics = metrics || '{\"gain\": 0.9}' WHERE "
                "domain_id = (SELECT id FROM re2llm.domain WHERE name = :domain)"
            ),
            {"domain": school},
        )
    second = await operation.train(Context(domain=school), activate=False)
    assert (first.active, second.active) == (True, False)
    assert f"the active release {first.release} gained +0.9000" in second.why_not
    assert second.why_not.endswith(" It was asked for without activating it.")


def test_a_session_that_flatters_the_choice_or_the_best_hint_is_not_judged_by() -> None:
    own = np.zeros((4, 3), dtype=np.bool_)
    own[0, 1] = own[1, 2] = own[3, 2] = True  # the best hint; the choice; one that is not given
    choices, folds = np.array([0, 2, 2, 0]), np.array([0, 0, 0, 0])
    assert fair(own, choices).tolist() == [False, False, True, True]
    assert fair(own, np.array([[0, 0], [1, 2], [0, 0], [1, 0]])).tolist() == [
        False,
        False,
        True,
        True,
    ]
    none = np.zeros(4, dtype=np.bool_)
    assert rows_to_judge(own, choices, folds, none).tolist() == [2, 3]
    assert rows_to_judge(own, choices, np.array([0, 0, -1, -1]), none).tolist() == [0, 1]
    many = np.zeros((600, 2), dtype=np.bool_)
    later = np.arange(600) >= 350
    judged = rows_to_judge(many, np.ones(600, dtype=np.int64), np.zeros(600, dtype=int), later)
    assert judged.tolist() == list(range(350, 600))  # the panel has chosen the hints


@pytest.mark.long
async def test_what_ended_a_search_too_early_is_named(
    school: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BudgetSpentError) as refused:
        await operation.train(Context(domain=school), max_llm_calls=FIRST * (len(HINTS) + 1) + 3)
    assert refused.value.field == "max_llm_calls"
    assert "0 sessions beyond the panel" in refused.value.problem

    async def spent(*_: object) -> None:
        raise BudgetSpentError("calls a day", "The day's calls are made.", "Wait.")

    usual = few_cells.RewardTable.rewards
    monkeypatch.setattr(
        few_cells.RewardTable,
        "rewards",
        lambda table, rows, actions: (
            spent() if rows.min() >= FIRST else usual(table, rows, actions)
        ),
    )
    with pytest.raises(BudgetSpentError) as refused:
        await operation.train(Context(domain=school))
    assert refused.value.field == "calls a day"
    assert "0 sessions beyond the panel" in refused.value.problem


async def test_sessions_that_are_paid_for_count_where_an_earlier_one_lacks_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A limit that refuses a call in the last of a part ends only that one."""
    known = np.full((20, 3), np.nan)
    spent = BudgetSpentError("max_cost", "It is spent.", "Run again.")

    class Table:
        def known(self, rows: Any) -> Any:
            return known[rows]

        async def rewards(self, rows: Any, actions: Any) -> None:
            for row, action in zip(rows, actions, strict=True):
                if row == 14:
                    raise spent
                known[row, [0, action]] = 0.0 if (row, action) != (2, 1) else np.nan

    async def endless(_: Any) -> float:
        return np.inf

    monkeypatch.setattr(CallsLeft, "count", endless)
    given: Any = (np.arange(20), Table(), 2, object.__new__(CallsLeft), None, lambda _: None)
    assert await few_cells._pay(*given) == (14, spent)


@pytest.mark.long
async def test_training_needs_answers_in_enough_sessions(
    school: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = RewardTable.known

    def unanswered(table: RewardTable, rows: Any) -> Any:
        found = known(table, rows)
        found[np.array(rows) >= FIRST] = np.nan
        return found

    monkeypatch.setattr(RewardTable, "known", unanswered)
    with pytest.raises(BudgetSpentError, match="0 sessions beyond the panel"):
        await operation.train(Context(domain=school))


@pytest.mark.long
async def test_training_stops_by_itself(school: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_cells, "FEWEST_TO_STOP", 1)
    monkeypatch.setattr(ExpectedGain, "little", property(lambda _: True))
    trained = await operation.train(Context(domain=school), force=True)
    assert trained.visits_ended_by == "noise"
    assert trained.visited_sessions == few_cells.ROUND < len(SESSIONS) - FIRST
    assert "Stopped by itself" in what_more_would_bring(trained)
    assert trained.more_gain is not None


@pytest.mark.slow
async def test_every_cell_is_paid_for_if_asked(
    school: str, url: str, adjust: Callable[..., None]
) -> None:
    whole = await operation.train(Context(domain=school), force=True, every_cell=True)
    assert (whole.visits_ended_by, whole.visited_sessions) == (None, None)
    assert whole.cells == len(cells(url, school))
    assert whole.validation_sessions == len(SESSIONS)


@pytest.mark.long
async def test_sets_are_of_the_best_hints(
    school: str,
    services: Services,
    url: str,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tried, "BEST_HINTS", 3)
    adjust(max_hints=2)
    trained = await operation.train(Context(domain=school), force=True)
    assert (trained.visits_ended_by, trained.visited_sessions) == (None, None)
    panel = FIRST * (1 + len(HINTS))
    assert trained.llm_calls == len(cells(url, school)) == trained.cells
    assert panel < trained.llm_calls <= panel + len(SESSIONS) * (1 + 3 + 3)
    async with services.engine.connect() as connection:
        found = await find_domain(connection, school)
        release = await fetch_release(connection, found.id, trained.release)
    assert len(release.hint_ids) == 3
    assert release.config["hints"]["stats"].keys() == {str(hint) for hint in release.hint_ids}


def retire_all(url: str, domain: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "UPDATE re2llm.hint SET status = 'retired' WHERE domain_id = "
            "(SELECT id FROM re2llm.domain WHERE name = %s)",
            [domain],
        )


@pytest.mark.parametrize("every_cell", [False, True])
async def test_hints_retired_while_they_are_tried_end_training_with_advice(
    school: str, url: str, every_cell: bool
) -> None:
    def retire_meanwhile(stage: str, done: int, *_: object) -> None:
        if (stage, done) == ("trying every hint", FIRST):
            retire_all(url, school)

    with pytest.raises(InputError, match="has 0 active hints") as refused:
        await operation.train(
            Context(domain=school), every_cell=every_cell, progress=retire_meanwhile
        )
    assert "re2llm learn" in refused.value.remedy


async def test_hints_retired_while_a_job_waits_end_it_with_advice(school: str, url: str) -> None:
    submitted = await submit(Context(domain=school), "train", {})
    plan = await pieces.plan(submitted.id, submitted.attempt)
    assert plan is not None
    for piece in plan["pieces"]:
        await pieces.do_piece(submitted.id, submitted.attempt, plan["shared"], piece)
    retire_all(url, school)
    await pieces.finish(submitted.id, submitted.attempt, plan["shared"], {})
    done = (await job(Context(), submitted.id)).job
    assert done.state == "failed"
    assert "has 0 active hints" in done.reason
