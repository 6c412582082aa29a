"""The pieces of each kind of job, done in this process: together they are the operation."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from learnt import forget, knowledge
from re2llm.data.sample import simulate_sessions
from re2llm.errors import (
    BudgetSpentError,
    InputError,
    ModelDownError,
    NotGrantedError,
    PoolerError,
    error_from,
)
from re2llm.jobs.queue.control import cancel_job, job, pause, resume, retry
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.worker import in_flight, pieces
from re2llm.knowledge.access.keys import check_key
from re2llm.knowledge.jobs.jobs import Job, hold_running
from re2llm.knowledge.locks import AdvisoryLocks
from re2llm.operations.accounts.keys import create_key
from re2llm.operations.evaluation.evaluate import evaluate
from re2llm.operations.hints.tidy import tidy_hints
from re2llm.operations.hints.verify import verify_hints
from re2llm.operations.learning.learn import learn
from re2llm.operations.releases.manage import list_releases
from re2llm.operations.training import train as training
from re2llm.policies import recipes
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

Load = Callable[..., Any]
Change = Callable[..., None]
SMALL = {"verify_random": 6, "verify_near": 2, "verify_rule": "transfer"}


async def work_off(submitted: Job) -> Any:
    """Do what workers do, one piece after the other, and each twice: the second finds it done."""
    attempt = submitted.attempt
    plan = await pieces.plan(submitted.id, attempt)
    assert plan is not None
    assert plan["error"] is None, plan
    counts: Counter[str] = Counter()
    for piece in plan["pieces"]:
        outcome = await pieces.do_piece(submitted.id, attempt, plan["shared"], piece)
        counts.update(outcome["counts"])
        again = await pieces.do_piece(submitted.id, attempt, plan["shared"], piece)
        assert "counts" in again
    await pieces.finish(submitted.id, attempt, plan["shared"], counts)
    await pieces.finish(submitted.id, attempt, plan["shared"], counts)
    return (await job(Context(), submitted.id)).job


@pytest.mark.long
async def test_learning_in_pieces(adjust: Change, loaded: Load, url: str) -> None:
    adjust(**SMALL)
    domain = await loaded(3)
    alone = await learn(Context(domain=domain), concurrency=1)
    expected = knowledge(url, domain)
    forget(url, domain)
    done = await work_off(await submit(Context(domain=domain), "learn", {"concurrency": 1}))
    assert done.state == "done"
    assert knowledge(url, domain) == expected
    counted = ("sessions", "missed", "proposed", "stored", "hints", "sessions_left")
    assert {name: done.result[name] for name in counted} == {
        name: getattr(alone, name) for name in counted
    }


@pytest.mark.long
async def test_verifying_in_pieces(adjust: Change, loaded: Load, url: str) -> None:
    adjust(**SMALL)
    domain = await loaded(3, hints=2)
    done = await work_off(await submit(Context(domain=domain), "verify", {}))
    assert done.state == "done"
    paid = knowledge(url, domain)["trials"]
    alone = await verify_hints(Context(domain=domain), done.arguments["hints"])
    assert alone.llm_calls == 0
    assert knowledge(url, domain)["trials"] == paid
    assert done.result["hints"] == alone.model_dump(mode="json")["hints"]


async def test_verifying_nothing_has_the_result_of_any_other(loaded: Load) -> None:
    domain = await loaded(3)
    done = await work_off(await submit(Context(domain=domain), "verify", {}))
    alone = await verify_hints(Context(domain=domain))
    assert (done.state, done.result) == ("done", alone.model_dump(mode="json"))


@pytest.mark.long
async def test_tidying_as_a_job_is_the_operation(adjust: Change, loaded: Load, url: str) -> None:
    adjust(**SMALL)
    domain = await loaded(3, hints=2)
    done = await work_off(await submit(Context(domain=domain), "tidy", {}, max_llm_calls=100))
    assert done.state == "done"
    assert 0 < done.llm_calls <= 100
    assert len(knowledge(url, domain)["trials"]) == done.result["llm_calls"]
    alone = await tidy_hints(Context(domain=domain))
    assert alone.llm_calls == 0
    assert done.result["kept"] == alone.model_dump(mode="json")["kept"]


async def test_a_pooler_that_keeps_no_claims_ends_a_job_with_its_reason(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = await loaded(3)
    submitted = await submit(Context(domain=domain), "learn", {"concurrency": 1})

    async def refuse(*_: object, **__: object) -> bool:
        raise PoolerError("RE2LLM_DATABASE_URL", "It pools by transaction.", "Pool by session.")

    monkeypatch.setattr(AdvisoryLocks, "claim_session", refuse)
    run = (submitted.id, submitted.attempt)
    plan = await in_flight.steadily(lambda: pieces.plan(*run))
    assert plan is not None
    first = plan["pieces"][0]
    assert await in_flight.steadily(lambda: pieces.do_piece(*run, {}, first)) == {"over": True}
    await in_flight.steadily(lambda: pieces.finish(*run, {}, {}))
    ended = (await job(Context(), submitted.id)).job
    assert ended.state == "failed"
    assert "Pool by session" in ended.reason


@pytest.mark.long
async def test_training_in_pieces_makes_one_release(
    adjust: Change, loaded: Load, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adjust(train_panel=4)
    usual = recipes.default_config

    def short(
        recipe: recipes.PolicyRecipe, *, seed: int = 0, most: int = 1
    ) -> recipes.TrainingConfig:
        config = usual(recipe, seed=seed, most=most)
        return replace(config, ppo=replace(config.ppo, updates=20), members=2)

    monkeypatch.setattr(training, "default_config", short)
    domain = await loaded(3, hints=2)
    submitted = await submit(Context(domain=domain), "train", {"force": True})
    attempt = submitted.attempt
    plan = await pieces.plan(submitted.id, attempt)
    assert plan is not None
    assert len(plan["pieces"]) == 4
    for piece in plan["pieces"]:
        await pieces.do_piece(submitted.id, attempt, plan["shared"], piece)
    assert len(knowledge(url, domain)["trials"]) == 4 * 3
    # A worker that dies after the release is stored, and before that is noted, does it again.
    context = Context(domain=domain)
    budget = pieces._work(submitted).context.budget
    again = replace(context, budget=budget)
    first = await training.train(again, panel_hints=plan["shared"]["hints"], force=True)
    await pieces.finish(submitted.id, attempt, plan["shared"], {})
    done = (await job(Context(), submitted.id)).job
    assert done.state == "done"
    assert done.result["release"] == first.release == 1
    assert len((await list_releases(context)).releases) == 1


@pytest.mark.long
async def test_evaluating_as_a_job_gives_the_same_document_and_forgets_the_sessions(
    loaded: Load, tmp_path: Path
) -> None:
    domain = await loaded(4)
    sessions = [one for one in simulate_sessions(4, seed=8) if one.target]
    given = {"sessions": sessions, "policies": ["none"], "baselines": ["popularity"]}
    submitted = await submit(Context(domain=domain), "evaluate", given)
    assert len(submitted.arguments["sessions"]) == len(sessions)
    done = await work_off(submitted)
    alone = await evaluate(
        Context(domain=domain), sessions, policies=["none"], baselines=["popularity"]
    )
    assert {name: done.result[name] for name in alone.document} == alone.document
    assert "sessions" not in done.arguments


async def test_a_job_of_an_ended_attempt_does_nothing_more(
    adjust: Change, loaded: Load, services: Services
) -> None:
    adjust(**SMALL)
    domain = await loaded(2)
    context = Context(domain=domain)
    submitted = await submit(context, "learn", {})
    plan = await pieces.plan(submitted.id, 1)
    assert plan is not None
    await pause(context, submitted.id)
    assert await pieces.plan(submitted.id, 1) is None
    assert await pieces.do_piece(submitted.id, 1, {}, plan["pieces"][0]) == {"over": True}
    with pytest.raises(InputError, match="is paused"):
        await retry(context, submitted.id)
    assert (await resume(context, submitted.id)).job.attempt == 2
    assert await pieces.plan(submitted.id, 1) is None  # that of a worker that was too slow
    assert await pieces.plan(submitted.id, 2) is not None
    assert (await cancel_job(context, submitted.id)).job.state == "cancelled"
    for change in (pause, resume, retry, cancel_job):
        with pytest.raises(InputError, match="is cancelled"):
            await change(context, submitted.id)
    with pytest.raises(InputError, match="There is no job"):
        await cancel_job(context, "learn-none")


async def test_a_limit_in_money_needs_a_price_in_a_retry_too(
    loaded: Load, services: Services
) -> None:
    context = Context(domain=await loaded(2), model="openai:unpriced")
    submitted = await submit(context, "learn", {})
    with pytest.raises(InputError, match="unpriced"):
        await retry(Context(domain=context.domain), submitted.id, max_cost=1.0)


@pytest.mark.long
async def test_a_budget_stops_a_job_and_retrying_raises_it(
    adjust: Change, loaded: Load, services: Services
) -> None:
    adjust(**SMALL)
    domain = await loaded(2)
    context = Context(domain=domain)
    submitted = await submit(context, "learn", {"concurrency": 1}, max_llm_calls=3)
    plan = await pieces.plan(submitted.id, 1)
    assert plan is not None
    outcomes = [
        await pieces.do_piece(submitted.id, 1, plan["shared"], piece) for piece in plan["pieces"]
    ]
    assert outcomes[-1] == {"over": True}
    await pieces.finish(submitted.id, 1, plan["shared"], {})
    stopped = (await job(context, submitted.id)).job
    assert (stopped.state, stopped.llm_calls) == ("stopped", 3)
    assert "jobs retry" in stopped.reason
    again = await retry(context, submitted.id, max_llm_calls=100_000)
    assert (again.job.attempt, again.job.max_llm_calls, again.job.llm_calls) == (2, 100_000, 3)
    done = await work_off(again.job)
    assert done.state == "done"


async def test_a_job_that_was_stopped_publishes_nothing(loaded: Load, services: Services) -> None:
    context = Context(domain=await loaded(2))
    submitted = await submit(context, "learn", {})
    for change, runs in ((None, True), (pause, False), (resume, True), (cancel_job, False)):
        if change is not None:
            await change(context, submitted.id)
        async with services.engine.begin() as connection:
            if runs:
                await hold_running(connection, submitted.id)
            else:
                with pytest.raises(BudgetSpentError, match="stopped meanwhile"):
                    await hold_running(connection, submitted.id)


@pytest.mark.long
async def test_a_training_that_is_cancelled_at_its_end_is_not_served(
    adjust: Change, loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    adjust(**SMALL)
    domain = await loaded(20, hints=2)
    context = Context(domain=domain)
    submitted = await submit(context, "train", {"recipe": "paper"})
    plan = await pieces.plan(submitted.id, 1)
    assert plan is not None
    for piece in plan["pieces"]:
        await pieces.do_piece(submitted.id, 1, plan["shared"], piece)

    async def cancelled(*given: Any, **more: Any) -> Any:
        await cancel_job(context, submitted.id)
        return await publish(*given, **more)

    publish = training.store_and_activate
    monkeypatch.setattr(training, "store_and_activate", cancelled)
    await pieces.finish(submitted.id, 1, plan["shared"], {})
    assert (await job(context, submitted.id)).job.state == "cancelled"
    assert (await list_releases(context)).releases == []


def test_the_reason_of_a_job_leaves_the_providers_words_out() -> None:
    error = ModelDownError("openai:dear", "moved", "The server redirects to http://10.0.3.7:8080/")
    assert "10.0.3.7" in str(error)
    public = pieces._public(error)
    assert "10.0.3.7" not in str(public)
    assert "10.0.3.7" not in str(public.as_dict())
    again = error_from(error.as_dict())
    assert isinstance(again, ModelDownError)
    assert "10.0.3.7" not in str(again.unquoted())


async def test_a_key_goes_on_only_with_models_that_it_was_granted(
    loaded: Load, services: Services
) -> None:
    domain = await loaded(2)
    submitted = await submit(Context(domain=domain, model="openai:dear"), "verify", {})
    own = await submit(Context(domain=domain), "verify", {})
    for each in (submitted, own):
        await pause(Context(domain=domain), each.id)
    for models, allowed in (([], False), (["openai:dear"], True)):
        made = await create_key(Context(), "shop", [domain], may=["learn"], models=models)
        async with services.engine.connect() as connection:
            key = await check_key(connection, made.key)
        assert key is not None
        context = Context(domain=domain, caller=Caller.of(key))
        if allowed:
            assert (await resume(context, submitted.id)).job.state == "running"
        else:
            with pytest.raises(NotGrantedError, match="openai:dear"):
                await resume(context, submitted.id)
            assert (await resume(context, own.id)).job.state == "running"
