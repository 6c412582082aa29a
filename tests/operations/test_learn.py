"""Learning in one process: budgets, stops, failing models, and workers side by side."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from httpx import Request
from langchain_core.messages import AIMessage
from learnt import Learnt, assert_whole, knowledge, settled
from openai import APIConnectionError
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import BudgetSpentError, InputError, ModelDownError
from re2llm.operations.learning.learn import Learned, advice, learn
from re2llm.operations.learning.sessions import sessions_at_once
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from re2llm.settings import Settings

SESSIONS = simulate_sessions(7, seed=1)
PANEL = {"verify_random": 6, "verify_near": 2, "verify_rule": "paper"}
"""The paper's rule, since few sessions prove nothing; kept small, since each trial takes time."""

Change = Callable[..., None]


async def prepare(services: Services, domain: str, sessions: Sequence[Session] = SESSIONS) -> str:
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    return domain


async def learned(domain: str, *, concurrency: int = 1, **limits: int) -> Learned:
    limits = {"max_hints": 1000, **limits}
    return await learn(Context(domain=domain, seed=0), concurrency=concurrency, **limits)


@pytest.fixture(scope="module")
async def reference(services: Services, url: str) -> Learnt:
    """What an uninterrupted learner knows in the end."""
    original = services.settings
    services.settings = original.model_copy(update=PANEL)
    try:
        await learned(await prepare(services, "reference"))
    finally:
        services.settings = original
    return knowledge(url, "reference")


# One learner


@pytest.mark.long
async def test_a_fresh_database_learns_the_same(
    services: Services, adjust: Change, url: str, domain: str, reference: Learnt
) -> None:
    adjust(**PANEL)
    told: list[tuple[str, int, int | None]] = []
    outcome = await learn(
        Context(domain=await prepare(services, domain), seed=0),
        max_hints=1000,
        concurrency=1,
        progress=lambda stage, done, total=None, note="": told.append((stage, done, total)),
    )
    learnt = knowledge(url, domain)
    assert learnt == reference
    assert_whole(learnt)
    assert outcome.stopped is None
    assert outcome.as_dict()["stopped"] is None
    assert not outcome.full
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    assert (outcome.sessions, outcome.sessions_before) == (len(SESSIONS), 0)
    assert outcome.missed == len(learnt["reflections"])
    assert outcome.proposed == len(learnt["proposals"])
    assert outcome.stored == outcome.hints == len(learnt["hints"]) >= 3
    assert outcome.llm_calls >= len(learnt["trials"]) + 3 * len(learnt["reflections"])
    assert told[0] == ("learning", 0, len(SESSIONS))
    assert [done for _, done, _ in told[1:]] == list(range(len(SESSIONS)))


@pytest.mark.parametrize("concurrency", [pytest.param(1, marks=pytest.mark.slow), 8])
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
        outcome = await learned(domain, max_llm_calls=allowed, concurrency=concurrency)
        assert isinstance(outcome.stopped, BudgetSpentError)
        assert outcome.as_dict()["stopped"]["kind"] == "budget"
        assert outcome.llm_calls == allowed
        calls += allowed
        learnt = knowledge(url, domain)
        assert_whole(learnt)
        assert 0 < len(learnt["trials"]) <= calls
    outcome = await learned(domain, concurrency=concurrency)
    assert outcome.stopped is None
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    if concurrency == 1:
        assert learnt == reference
    # Nothing is left to do: no call is made.
    outcome = await learned(domain)
    assert (outcome.sessions, outcome.llm_calls) == (0, 0)
    assert (outcome.sessions_before, outcome.sessions_left) == (len(SESSIONS), 0)


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

    services.models.register("counting", Counting())
    adjust(**PANEL, model="counting")
    await prepare(services, domain)
    outcome = await learned(domain, max_tokens=950)
    assert outcome.stopped
    assert (outcome.tokens, outcome.llm_calls) == (1000, 10)


@pytest.mark.parametrize("concurrency", [pytest.param(1, marks=pytest.mark.slow), 4])
async def test_it_stops_at_enough_hints(
    services: Services, adjust: Change, url: str, domain: str, concurrency: int
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    outcome = await learned(domain, max_hints=3, concurrency=concurrency)
    assert outcome.stopped is None
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert len(learnt["hints"]) == 3
    assert len(settled(learnt)) < len(SESSIONS)
    assert outcome.full
    assert (await learned(domain, max_hints=3)).sessions == 0


@pytest.mark.long
async def test_workers_of_one_process_share_the_sessions(
    services: Services, adjust: Change, url: str, domain: str
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    outcome = await learned(domain, concurrency=8)
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert outcome.sessions == len(SESSIONS)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))


@pytest.mark.long
async def test_learners_side_by_side_share_the_sessions(
    services: Services, film_sessions: list[Session], adjust: Change
) -> None:
    adjust(**PANEL)
    domain = await prepare(services, "side by side", film_sessions[:12])
    both = await asyncio.gather(learned(domain), learned(domain))
    again = await learned(domain)
    assert sum(outcome.sessions for outcome in both) == 12
    assert again.llm_calls == 0


# A model that fails


def flaky(
    services: Services,
    name: str,
    failing: Callable[[str], bool],
    error: Exception = TimeoutError(),  # noqa: B008  # it is only raised
) -> None:
    """Register the offline model, which gives no answer to some prompts."""
    from re2llm.llm.offline import OfflineRanker

    class Flaky(OfflineRanker):
        def _answer(self, messages: Sequence[Any]) -> str:
            if failing(messages[1].text):
                raise error
            return super()._answer(messages)

    services.models.register(name, Flaky())


@pytest.mark.long
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
    outcome = await learned(domain)
    assert outcome.stopped is None
    assert outcome.failed >= 1
    assert outcome.sessions == len(SESSIONS) - outcome.failed > 0
    assert_whole(knowledge(url, domain))
    # It is back: what was left is learnt from.
    flaky(services, "flaky", lambda _: False)
    assert (await learned(domain)).sessions == outcome.failed
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))


async def test_a_dead_model_ends_the_run_and_loses_nothing(
    services: Services, adjust: Change, url: str, domain: str
) -> None:
    adjust(**PANEL, model="dead")
    flaky(services, "dead", lambda _: True)
    await prepare(services, domain)
    outcome = await learned(domain)
    assert isinstance(outcome.stopped, ModelDownError)
    assert outcome.sessions == 0
    assert outcome.failed == 4  # one at a time, and three probes
    assert outcome.as_dict()["stopped"] == outcome.stopped.as_dict()
    assert knowledge(url, domain)["trials"] == []


async def test_a_dead_reflecting_model_is_told_by_its_own_settings(
    services: Services, adjust: Change, domain: str
) -> None:
    adjust(**PANEL, reflect_model="gone", reflect_base_url="http://127.0.0.1:9/v1")
    flaky(services, "gone", lambda _: True, APIConnectionError(request=Request("POST", "/")))
    await prepare(services, domain)
    outcome = await learned(domain)
    assert isinstance(outcome.stopped, ModelDownError)
    assert outcome.stopped.model == "gone"
    assert outcome.stopped.remedy.startswith("Check RE2LLM_REFLECT_BASE_URL")
    assert outcome.as_dict()["stopped"]["remedy"] == outcome.stopped.remedy


@pytest.mark.parametrize(
    ("counts", "sessions", "said"),
    [
        ({"sessions": 200, "missed": 20, "proposed": 30}, 200, "No hint helped measurably"),
        ({"sessions": 120, "missed": 20, "proposed": 30}, 200, ""),  # it was stopped
        ({"sessions": 200}, 200, "There was nothing to learn"),
        ({"sessions": 20, "missed": 9, "proposed": 9}, 20, "Training sessions are few: 20"),
        ({"sessions": 20, "missed": 9}, 20, "The reflecting model wrote no hint"),
        ({"sessions": 20, "missed": 9, "proposed": 4, "leak": 4}, 200, "The reflecting model wro"),
        ({"sessions": 20, "missed": 9, "declined": 9}, 200, ""),  # which is said in itself
    ],
)
def test_a_run_without_a_hint_says_why(counts: dict[str, int], sessions: int, said: str) -> None:
    found = advice(Counter(counts), sessions, 0, hints=0)
    assert found.startswith(said)
    assert bool(found) is bool(said)
    assert bool(advice(Counter(counts), sessions, 0, hints=2)) is ("reflecting" in said)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 8),
        ({"max_llm_calls": 100}, 1),
        ({"max_llm_calls": 1_000}, 2),
        ({"max_llm_calls": 1_000_000}, 8),
        ({"max_cost": 1.5}, 2),  # a call is some 1,550 tokens at a dollar a million
        ({"max_cost": 1.5, "max_llm_calls": 100}, 1),
    ],
)
def test_a_small_budget_narrows_what_is_done_at_once(limits: dict[str, Any], expected: int) -> None:
    settings = Settings(concurrency=8, prices={"m": (1.0, 1.0)})
    assert sessions_at_once(Budget(**limits), settings, "m") == expected


@pytest.mark.parametrize(("rerank", "candidates"), [(10, None), (4, 20), (2, 6)])
async def test_what_the_model_is_shown_must_reach_below_the_hits(
    services: Services, adjust: Change, domain: str, rerank: int, candidates: int | None
) -> None:
    """Otherwise every session would be paid for, and none could be missed."""
    items = [item.id for item in sample_items()]
    sessions = [
        Session(tuple(items[n : n + 2]), items[n + 2], candidates and tuple(items[2:][:candidates]))
        for n in range(3)
    ]
    await prepare(services, domain, sessions)
    adjust(rerank=rerank, model="offline")
    context = Context(domain=domain, fuse="learned")
    with pytest.raises(InputError) as refused:
        await learn(context)
    assert refused.value.field == "RE2LLM_RERANK"
    adjust(rerank=rerank + 1)
    assert (await learn(context, max_llm_calls=1)).stopped
