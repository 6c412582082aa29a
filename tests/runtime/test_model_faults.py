"""Whatever a model's server does: a valid, flagged ranking in time, and no call too many."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import FaultServer
from prompts import read_document
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.graph.recommend import graph
from re2llm.operations.catalogue.finder import Finder
from re2llm.operations.recommending.recommend import recommend
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

IDS = [film.id for film in load_films()]
HISTORY, CANDIDATES = IDS[:3], IDS[10:18]
HINT = "Prefer the most recent films."
KEY = "sk-secret-1234567890"
DEADLINE, PATIENCE, SLACK = 10.0, 5.0, 10.0
"""Seconds: of a request, of a call, and what a busy machine may add."""
SILENT = {"hang": 0.8, "drip": 0.8}
"""Faults that only the end of a call's patience ends, and that patience."""

Result = dict[str, Any]
Recommend = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def served(
    server: FaultServer,
    services: Services,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    films: str,
) -> Recommend:
    """Recommend through ChatOpenAI and the fault server."""
    settings = {
        "base_url": server.url,
        "api_key": SecretStr(KEY),
        "request_timeout": PATIENCE,
        "deadline": DEADLINE,
        "model_retries": 2,
        "retry_pause": 0.01,
        "structured": "plain",
    }

    def settle(**changes: Any) -> Recommend:
        adjust(**{**settings, **changes})
        monkeypatch.setattr(services.models, "_limits", None)
        model = f"openai:fault-{uuid.uuid4().hex[:8]}"

        async def recommend(
            history: list[str] = HISTORY, *, domain: str = films, **options: Any
        ) -> Result:
            request: Any = {"domain": domain, "history": history, "candidates": CANDIDATES}
            context = Context(**{"policy": "none", "model": model, "record": False, **options})
            return await graph.ainvoke(request, context=context)

        return recommend

    return settle


def assert_valid(result: Result) -> None:
    assert result.get("error") is None, result
    assert sorted(result["ranking"]) == sorted(CANDIDATES)


ONCE = {
    # fault: flags of the answer, calls
    "429": ([], 2),
    "429 for a second": ([], 2),
    "500": ([], 2),
    "503": ([], 2),
    "hang": ([], 2),
    "drip": ([], 2),
    "reset": ([], 2),
    "no choices": ([], 2),
    "null choices": ([], 2),
    "no JSON": ([], 2),
    "truncated": (["wrong_format", "missing", "repaired"], 2),
    "wrong ids": (["repeated", "invented", "missing", "repaired"], 2),
    "2 MB": (["wrong_format", "missing", "repaired"], 2),
    "empty": (["wrong_format", "missing", "repaired"], 2),
    "prose": (["wrong_format", "missing", "repaired"], 2),
    "refusal": (["model_failed", "refused", "completed"], 1),
    "filtered": (["model_failed", "refused", "completed"], 1),
    "429 for an hour": (["model_failed", "rate_limited", "completed"], 1),
    "quota": (["model_failed", "denied", "completed"], 1),
    "400": (["model_failed", "rejected", "completed"], 1),
    "401": (["model_failed", "denied", "completed"], 1),
    "403": (["model_failed", "denied", "completed"], 1),
    "404": (["model_failed", "rejected", "completed"], 1),
}


@pytest.mark.long
@pytest.mark.parametrize(("fault", "flags", "calls"), [(f, *w) for f, w in ONCE.items()])
async def test_a_single_fault(
    server: FaultServer, served: Recommend, fault: str, flags: list[str], calls: int
) -> None:
    server.play(fault)
    started = time.monotonic()
    result = await served(request_timeout=SILENT.get(fault, PATIENCE))()
    took = time.monotonic() - started
    assert_valid(result)
    assert result["flags"] == flags
    assert result["llm_calls"] == len(server.asked) == calls
    assert took < DEADLINE + SLACK
    if fault == "429 for a second":
        assert server.asked[1].at - server.asked[0].at >= 1.0
    if fault in SILENT:
        assert server.asked[1].at - server.asked[0].at > SILENT[fault] / 2  # heard late, if busy
    if "completed" not in flags:  # the good answer was followed
        document = read_document(server.asked[0].user)
        shown = [entry["title"] for entry in document["candidates"]]
        assert [item["title"] for item in result["items"]] == shown[::-1]


FOR_EVER = {
    "429": ("rate_limited", 3),
    "429 for a second": ("rate_limited", 3),
    "500": ("server_error", 3),
    "503": ("server_error", 3),
    "hang": ("timeout", 3),
    "drip": ("timeout", 3),
    "reset": ("connection", 3),
    "no choices": ("wrong_shape", 3),
    "no JSON": ("wrong_shape", 3),
}


@pytest.mark.long
@pytest.mark.parametrize(("fault", "kind", "calls"), [(f, *w) for f, w in FOR_EVER.items()])
async def test_a_fault_that_does_not_pass(
    server: FaultServer, served: Recommend, fault: str, kind: str, calls: int
) -> None:
    server.play(*[fault] * 20)
    started = time.monotonic()
    result = await served(request_timeout=SILENT.get(fault, PATIENCE))()
    assert time.monotonic() - started < DEADLINE + SLACK
    assert_valid(result)
    assert result["flags"] == ["model_failed", kind, "completed"]
    assert result["llm_calls"] == len(server.asked) == calls


@pytest.mark.long
@pytest.mark.parametrize("fault", ["truncated", "wrong ids", "2 MB", "empty", "prose"])
async def test_an_answer_that_stays_unusable_is_repaired_once_and_completed(
    server: FaultServer, served: Recommend, fault: str
) -> None:
    server.play(*[fault] * 20)
    result = await served()()
    assert_valid(result)
    assert {"missing", "repaired", "completed"} <= set(result["flags"])
    assert result["llm_calls"] == len(server.asked) == 2
    if fault == "wrong ids":
        assert result["faults"] == {"repeated": 1, "invented": 2, "missing": 6}


@pytest.mark.long
async def test_a_slow_model_ends_at_the_deadline_and_not_after_all_its_retries(
    server: FaultServer, served: Recommend
) -> None:
    server.play(*["hang"] * 50)
    started = time.monotonic()
    result = await served(request_timeout=1.2, model_retries=40, deadline=4.0)()
    took = time.monotonic() - started
    assert_valid(result)
    assert result["flags"] == ["model_failed", "timeout", "completed"]
    assert 2.4 <= took < 4.0 + SLACK
    assert len(server.asked) <= 4


async def test_the_model_leaves_time_to_answer_before_the_deadline(
    adjust: Callable[..., None], films: str
) -> None:
    adjust(deadline=1000.0)
    request: Any = {"domain": films, "history": HISTORY, "candidates": CANDIDATES}
    context = Context(policy="none", model="offline", record=False)
    async for update in graph.astream(request, context=context, stream_mode="updates"):
        if "prepare" in update:
            left = update["prepare"]["deadline_at"] - time.time()
    assert left <= 900


async def test_looking_up_titles_counts_against_the_deadline(
    adjust: Callable[..., None], films: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adjust(deadline=1000.0)
    resolve = Finder.resolve
    begun: list[float] = []

    async def slowly(self: Finder, *given: Any) -> Any:
        begun.append(time.time())
        await asyncio.sleep(0.1)
        return await resolve(self, *given)

    monkeypatch.setattr(Finder, "resolve", slowly)
    ends: list[float] = []
    await recommend(
        Context(policy="none", model="offline", record=False),
        HISTORY,
        domain=films,
        on_state=lambda _, update: ends.append(update.get("deadline_at", 0.0)),
    )
    assert 0 < max(ends) <= begun[0] + 900


# The hint


@pytest.fixture
async def hinted(services: Services, load: Callable[..., Any], domain: str) -> str:
    from re2llm.data.sample import sample_items
    from re2llm.knowledge.domains import find_domain
    from re2llm.knowledge.hint_store.hints import add_hint

    await load(domain, sample_items())
    vector = services.embedder.encode([HINT])[0]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await add_hint(connection, found.id, HINT, vector, provenance={})
    return domain


@pytest.mark.parametrize(
    ("fault", "flags"),
    [
        ("refusal", ["hint_dropped"]),
        ("filtered", ["hint_dropped"]),
        ("400", ["hint_dropped"]),
        ("prose", ["wrong_format", "missing", "hint_dropped"]),
    ],
)
async def test_a_refused_hint_is_left_out(
    server: FaultServer, served: Recommend, hinted: str, fault: str, flags: list[str]
) -> None:
    server.play(fault)
    result = await served()(domain=hinted, policy="random")
    assert_valid(result)
    assert result["hint"]["text"] == HINT
    assert result["flags"] == flags
    assert result["llm_calls"] == len(server.asked) == 2
    assert HINT in server.asked[0].text
    assert HINT not in server.asked[1].text


async def test_a_model_that_refuses_without_the_hint_too_is_not_asked_a_third_time(
    server: FaultServer, served: Recommend, hinted: str
) -> None:
    server.play(*["refusal"] * 5)
    result = await served()(domain=hinted, policy="random")
    assert_valid(result)
    assert result["flags"] == ["hint_dropped", "model_failed", "refused", "completed"]
    assert len(server.asked) == 2


# Through many at once


@pytest.mark.long
async def test_a_dead_endpoint_is_soon_left_alone(server: FaultServer, served: Recommend) -> None:
    server.play(*["hang"] * 1000)
    recommend = served(
        breaker_failures=6, breaker_pause=60.0, request_timeout=0.3, model_concurrency=4
    )
    started = time.monotonic()
    results = [await recommend(IDS[at : at + 2]) for at in range(20, 120)]
    took = time.monotonic() - started
    for result in results:
        assert_valid(result)
        assert result["flags"][0] == "model_failed"
    assert results[-1]["flags"] == ["model_failed", "circuit_open", "completed"]
    assert results[-1]["llm_calls"] == 0
    assert len(server.asked) == 6
    assert took < 6 * 0.3 + 100 * 0.2 + SLACK


async def test_a_limit_of_rate_is_no_death(server: FaultServer, served: Recommend) -> None:
    server.play(*["429"] * 6)
    recommend = served(breaker_failures=2, breaker_pause=60.0, model_retries=0)
    results = [await recommend(IDS[at : at + 2]) for at in range(20, 27)]
    assert [result["flags"][1:2] for result in results] == [["rate_limited"]] * 6 + [[]]
    assert len(server.asked) == 7


async def test_a_model_that_comes_back_is_asked_again(
    server: FaultServer, served: Recommend
) -> None:
    server.play(*["500"] * 3)
    recommend = served(breaker_failures=3, breaker_pause=0.3)
    assert (await recommend())["flags"] == ["model_failed", "server_error", "completed"]
    assert (await recommend())["flags"] == ["model_failed", "circuit_open", "completed"]
    await asyncio.sleep(0.4)
    assert (await recommend())["flags"] == []
    assert len(server.asked) == 4


@pytest.mark.long
async def test_two_hundred_requests_through_random_faults(
    server: FaultServer, served: Recommend
) -> None:
    server.chance = 0.3
    deadline = 90.0  # all of them share two processors
    at_once = asyncio.Semaphore(50)  # all that begin are prepared before the first call is made
    recommend = served(deadline=deadline, model_retries=4, request_timeout=4.0)
    budget = Budget()

    async def timed(at: int) -> tuple[Result, float]:
        async with at_once:
            started = time.monotonic()
            result = await recommend(IDS[20 + at : 22 + at], budget=budget)
            return result, time.monotonic() - started

    results = await asyncio.gather(*(timed(at) for at in range(200)))
    for result, took in results:
        assert_valid(result)
        assert took < deadline + SLACK
    assert sum(result["llm_calls"] for result, _ in results) == budget.llm_calls
    # A call may end before its connection is accepted, and so never arrive.
    assert 0 <= budget.llm_calls - len(server.asked) <= 3
    clean = sum(not result["flags"] for result, _ in results)
    assert clean > 120
    assert len(server.asked) > 220


@pytest.mark.long
async def test_calls_in_flight_and_their_pace_are_limited(
    server: FaultServer, served: Recommend
) -> None:
    server.delay = 0.2
    recommend = served(model_rate=20.0, model_concurrency=3, request_timeout=10.0, deadline=60.0)
    await asyncio.gather(*(recommend(IDS[at : at + 2]) for at in range(20, 32)))
    assert len(server.asked) == 12
    assert server.most_at_once == 3
    times = sorted(asked.at for asked in server.asked)
    # The pace bounds any stretch: 4 calls take at least 3 gaps of 50 ms, less what jitter takes.
    assert all(later - first > 0.1 for first, later in zip(times, times[3:], strict=False))


@pytest.mark.long
async def test_a_request_whose_turn_comes_too_late_does_not_wait_for_it(
    server: FaultServer, served: Recommend
) -> None:
    server.delay = 0.5
    recommend = served(
        model_concurrency=1, deadline=2.8, request_timeout=5.0, model_retries=0, breaker_failures=1
    )
    results = await asyncio.gather(*(recommend(IDS[at : at + 2]) for at in range(20, 29)))
    kinds = [result["flags"] for result in results]
    assert [] in kinds
    assert ["model_failed", "busy", "completed"] in kinds
    for result in results:
        assert_valid(result)
    # That the last had no time left is no failure of the model.
    assert (await recommend(IDS[30:32]))["flags"] == []


@pytest.mark.long
@pytest.mark.parametrize("budget", [None, Budget()], ids=["plain", "counted"])
async def test_waiting_for_the_same_prompt_counts_against_the_deadline(
    server: FaultServer, served: Recommend, budget: Budget | None
) -> None:
    server.play(*["hang"] * 40)
    recommend = served(deadline=2.0, request_timeout=2.0, model_retries=0)
    started = time.monotonic()
    results = await asyncio.gather(*(recommend(budget=budget) for _ in range(6)))
    took = time.monotonic() - started
    for result in results:
        assert_valid(result)
        assert "model_failed" in result["flags"]
    # One after the other they would take six times as long.
    assert took < 2 * 2.0 + SLACK / 2


@pytest.mark.long
async def test_a_repair_gets_what_the_first_answer_has_left(
    server: FaultServer, served: Recommend
) -> None:
    server.delay = 1.5
    server.play("wrong ids", "hang")
    started = time.monotonic()
    result = await served(deadline=2.5, request_timeout=30.0, model_retries=0)()
    assert_valid(result)
    assert time.monotonic() - started < 2.5 + SLACK / 2
