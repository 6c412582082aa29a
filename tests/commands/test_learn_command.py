"""`re2llm learn` in one process: budgets, stops, failing models, and workers side by side."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from learnt import Learnt, assert_whole, knowledge, sessions_left, settled
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import BudgetSpentError, ModelDownError
from re2llm.operations.learn import Learner
from re2llm.operations.load import load_domain
from re2llm.records import Session
from re2llm.runtime.budget import Budget
from re2llm.runtime.services import Services

SESSIONS = simulate_sessions(7, seed=1)
PANEL = {"verify_random": 6, "verify_near": 2, "verify_rule": "paper"}
"""The paper's rule, since few sessions prove nothing; kept small, since each trial takes time."""

Change = Callable[..., None]


async def prepare(services: Services, domain: str, sessions: Sequence[Session] = SESSIONS) -> str:
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    return domain


async def learn(
    services: Services,
    domain: str,
    budget: Budget | None = None,
    *,
    concurrency: int = 1,
) -> tuple[dict[str, int], Budget, bool]:
    budget = budget or Budget()
    todo = await sessions_left(services, domain)
    learner = Learner(services, domain, budget, seed=0)
    spent = await learner.learn_from(todo, concurrency)
    return learner.counts, budget, spent is not None


@pytest.fixture(scope="module")
async def reference(services: Services, url: str) -> Learnt:
    """What an uninterrupted learner knows in the end."""
    original = services.settings
    services.settings = original.model_copy(update=PANEL)
    try:
        await learn(services, await prepare(services, "reference"))
    finally:
        services.settings = original
    return knowledge(url, "reference")


# One learner


async def test_a_fresh_database_learns_the_same(
    services: Services, adjust: Change, url: str, domain: str, reference: Learnt
) -> None:
    adjust(**PANEL)
    counts, budget, stopped = await learn(services, await prepare(services, domain))
    learnt = knowledge(url, domain)
    assert learnt == reference
    assert_whole(learnt)
    assert not stopped
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    assert counts["sessions"] == len(SESSIONS)
    assert counts["missed"] == len(learnt["reflections"])
    assert counts["proposed"] == len(learnt["proposals"])
    assert counts["stored"] == len(learnt["hints"]) >= 3
    assert budget.calls >= len(learnt["trials"]) + 3 * len(learnt["reflections"])


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_the_calls_never_exceed_the_budget_and_a_later_run_goes_on(
    services: Services,
    adjust: Change,
    url: str,
    domain: str,
    reference: Learnt,
    concurrency: int,
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    calls = 0
    for allowed in (1, 2, 7, 30):
        _, budget, stopped = await learn(
            services, domain, Budget(max_calls=allowed), concurrency=concurrency
        )
        assert stopped
        assert budget.calls == allowed
        calls += allowed
        learnt = knowledge(url, domain)
        assert_whole(learnt)
        assert 0 < len(learnt["trials"]) <= calls
    _, _, stopped = await learn(services, domain, concurrency=concurrency)
    assert not stopped
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    if concurrency == 1:
        assert learnt == reference
    # Nothing is left to do: no call is made.
    counts, budget, _ = await learn(services, domain)
    assert (counts["sessions"], budget.calls) == (0, 0)


async def test_tokens_are_a_budget_too(
    services: Services, adjust: Change, script: Callable[..., Any], domain: str
) -> None:
    from re2llm.llm.offline import OfflineRanker

    class Counting(OfflineRanker):
        """The offline model, which says that each answer cost a hundred tokens."""

        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            usage = {"input_tokens": 90, "output_tokens": 10, "total_tokens": 100}
            message = AIMessage(result.generations[0].message.text, usage_metadata=usage)
            result.generations[0].message = message
            return result

    services.register_model("counting", Counting())
    adjust(**PANEL, model="counting")
    await prepare(services, domain)
    _, budget, stopped = await learn(services, domain, Budget(max_tokens=950))
    assert stopped
    assert (budget.tokens, budget.calls) == (1000, 10)


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_it_stops_at_enough_hints(
    services: Services, adjust: Change, url: str, domain: str, concurrency: int
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    await learn(services, domain, Budget(max_hints=3), concurrency=concurrency)
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert len(learnt["hints"]) == 3
    assert len(settled(learnt)) < len(SESSIONS)
    counts, _, _ = await learn(services, domain, Budget(max_hints=3))
    assert counts["sessions"] == 0


async def test_workers_of_one_process_share_the_sessions(
    services: Services, adjust: Change, url: str, domain: str
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    counts, _, _ = await learn(services, domain, concurrency=8)
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert counts["sessions"] == len(SESSIONS)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))


async def test_learners_side_by_side_share_the_sessions(
    services: Services, film_sessions: list[Session], adjust: Change
) -> None:
    adjust(**PANEL)
    domain = await prepare(services, "side by side", film_sessions[:12])
    both = await asyncio.gather(learn(services, domain), learn(services, domain))
    again = await learn(services, domain)
    assert sum(counts["sessions"] for counts, _, _ in both) == 12
    assert again[1].calls == 0


# A model that fails


def flaky(services: Services, name: str, failing: Callable[[str], bool]) -> None:
    """Register the offline model, which gives no answer to some prompts."""
    from re2llm.llm.offline import OfflineRanker

    class Flaky(OfflineRanker):
        def _answer(self, messages: Sequence[Any]) -> str:
            if failing(messages[1].text):
                raise TimeoutError
            return super()._answer(messages)

    services.register_model(name, Flaky())


async def test_a_session_without_an_answer_is_left_for_another_run(
    services: Services, adjust: Change, url: str, domain: str
) -> None:
    adjust(**PANEL, model="flaky")
    await prepare(services, domain)
    first: list[str] = []

    def failing(prompt: str) -> bool:
        history = prompt.split('"candidates"', maxsplit=1)[0]
        first.append(history)
        return history == first[0]

    flaky(services, "flaky", failing)
    todo = await sessions_left(services, domain)
    learner = Learner(services, domain, Budget(), seed=0)
    assert await learner.learn_from(todo, 1) is None
    assert learner.counts["failed"] >= 1
    assert learner.counts["sessions"] == len(SESSIONS) - learner.counts["failed"] > 0
    assert_whole(knowledge(url, domain))
    # It is back: what was left is learnt from.
    flaky(services, "flaky", lambda _: False)
    counts, _, _ = await learn(services, domain)
    assert counts["sessions"] == learner.counts["failed"]
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))


async def test_a_dead_model_ends_the_run_and_loses_nothing(
    services: Services, adjust: Change, url: str, domain: str
) -> None:
    adjust(**PANEL, model="dead")
    flaky(services, "dead", lambda _: True)
    await prepare(services, domain)
    todo = await sessions_left(services, domain)
    learner = Learner(services, domain, Budget(), seed=0)
    stopped = await learner.learn_from(todo, 1)
    assert isinstance(stopped, ModelDownError)
    assert learner.counts["sessions"] == 0
    assert learner.counts["failed"] == 4  # one at a time, and three probes
    assert knowledge(url, domain)["trials"] == []


async def test_work_goes_on_through_an_outage(services: Services, adjust: Change) -> None:
    """While the breaker is open, one piece of work at a time tries the model."""
    from re2llm.runtime.options import Context, resolve_context
    from re2llm.runtime.outages import OutageGuard

    adjust(breaker_failures=2, breaker_pause=0.2)
    flaky(services, "outage", lambda _: False)
    options = await resolve_context(Context(model="outage"))
    endpoint = await services.endpoint("outage")
    outages = OutageGuard(options, at_once=4)
    back = time.monotonic() + 0.5
    tried: list[float] = []

    async def work() -> str:
        tried.append(time.monotonic())
        await asyncio.sleep(0.01)
        if time.monotonic() < back:
            endpoint.breaker.failed()
            raise ModelDownError("outage")
        endpoint.breaker.succeeded()
        return "done"

    done = [await asyncio.gather(*(outages.survive(work) for _ in range(4))) for _ in range(3)]
    results = [result for some in done for result in some]
    assert results.count("done") == 12 - outages.skipped
    assert 4 <= outages.skipped <= 6
    assert len(tried) == 12


async def test_what_is_under_way_when_the_budget_ends_is_finished(services: Services) -> None:
    from re2llm.runtime.options import Context, resolve_context
    from re2llm.runtime.outages import OutageGuard

    outages = OutageGuard(await resolve_context(Context()), at_once=3)
    begun: list[int] = []
    ended: list[int] = []
    spent = BudgetSpentError("--max-llm-calls", "All 4 calls are made.", "Run again to go on.")

    async def work(piece: int) -> None:
        begun.append(piece)
        await asyncio.sleep(0)
        if piece == 1:
            raise ModelDownError("gone")
        if piece == 4:
            raise spent
        if piece > 1:
            await asyncio.sleep(0.05)
        ended.append(piece)

    assert await outages.work_through(range(9), work) is spent
    assert begun == [0, 1, 2, 3, 4]
    assert ended == [0, 2, 3]
    assert outages.skipped == 1
    assert await outages.work_through([5, 6], work) is None
    assert ended == [0, 2, 3, 5, 6]


async def test_nobody_waits_for_a_dead_model(services: Services, adjust: Change) -> None:
    """Of those that wait for a model that is given up, none tries it again."""
    from re2llm.runtime.options import Context, resolve_context
    from re2llm.runtime.outages import OutageGuard

    adjust(breaker_failures=2, breaker_pause=0.05)
    flaky(services, "gone", lambda _: True)
    options = await resolve_context(Context(model="gone"))
    endpoint = await services.endpoint("gone")
    outages = OutageGuard(options, at_once=4)
    tried = 0

    async def work() -> None:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0.01)
        endpoint.breaker.failed()
        raise ModelDownError("gone", "timeout")

    first = await asyncio.gather(*(outages.survive(work) for _ in range(4)))
    assert first == [None] * 4
    then = await asyncio.gather(*(outages.survive(work) for _ in range(4)), return_exceptions=True)
    assert then == [None, None, outages.last, outages.last]
    assert tried == outages.skipped == 4 + 3
