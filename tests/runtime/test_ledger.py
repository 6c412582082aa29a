"""Paid calls: booked once, answered from the database again, bounded by budgets."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from langchain_core.messages import AIMessage
from ledger import booked
from pydantic import SecretStr
from re2llm.commands.costs import print_costs
from re2llm.data.sample import load_films
from re2llm.errors import BudgetSpentError, InputError
from re2llm.graph.recommend import graph
from re2llm.llm.prices import call_cost, prompt_key, require_prices
from re2llm.llm.usage import Usage, read_usage
from re2llm.operations.accounts.cost_results import CostRow, Costs, CostSums
from re2llm.operations.accounts.costs import costs
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services, open_services
from re2llm.runtime.sharing import ServiceSet

RE2LLM = Path(sys.executable).with_name("re2llm")
IDS = [film.id for film in load_films()]
CANDIDATES = IDS[10:18]
Ask = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def model() -> str:
    return f"openai:ledger-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def ask(server: FaultServer, adjust: Callable[..., None], films: str, model: str) -> Ask:
    def settle(**changes: Any) -> Ask:
        values = {"base_url": server.url, "api_key": SecretStr("sk-none"), "structured": "plain"}
        adjust(**{**values, **changes})

        async def recommend(at: int = 0, **options: Any) -> dict[str, Any]:
            request: Any = {"domain": films, "history": IDS[at : at + 2], "candidates": CANDIDATES}
            context = Context(**{"policy": "none", "model": model, "record": False, **options})
            return await graph.ainvoke(request, context=context)

        return recommend

    return settle


async def test_a_call_is_booked_with_tokens_and_cost(
    services: Services, ask: Ask, model: str
) -> None:
    await ask(prices={model: (1.0, 5.0)})(command="evaluate")
    (row,) = await booked(services, model)
    assert (row.command, row.purpose, row.outcome, row.method) == (
        "evaluate",
        "rank",
        "ok",
        "plain",
    )
    assert (row.tokens_in, row.tokens_out, row.estimated) == (100, 20, False)
    assert (row.requests, row.hits) == (1, 0)
    assert row.cost == pytest.approx((100 * 1.0 + 20 * 5.0) / 1e6)
    assert row.latency_ms > 0


USED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@pytest.mark.parametrize(
    "sent",
    [
        {"usage": {**USED, "prompt_tokens_details": {"cached_tokens": 60}}},
        {"usage": {**USED, "prompt_tokens_details": None, "prompt_cache_hit_tokens": 60}},
        {"usage": {**USED, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 0}},
        {"usage": {**USED, "cached_tokens": 60}},
        {"timings": {"cache_n": 60, "prompt_n": 40}},
    ],
    ids=["openai", "deepseek", "anthropic", "moonshot", "llama.cpp"],
)
async def test_cached_prompt_tokens_have_a_price_of_their_own(
    server: FaultServer, services: Services, ask: Ask, model: str, sent: dict[str, Any]
) -> None:
    server.more = sent
    budget = Budget()
    answer = await ask(prices={model: (1.0, 5.0, 0.1)})(budget=budget)
    (row,) = await booked(services, model)
    assert (row.tokens_in, row.tokens_cached, row.tokens_out) == (100, 60, 20)
    assert row.cost == pytest.approx((40 * 1.0 + 60 * 0.1 + 20 * 5.0) / 1e6)
    assert row.saved == pytest.approx(60 * 0.9 / 1e6)
    assert (budget.cost, budget.tokens) == (pytest.approx(row.cost), 120)
    assert answer["flags"] == []


@pytest.mark.parametrize(
    ("count", "read"), [(None, 0), ("60", 60), (-3, 0), (10**6, 100), ({"n": 1}, 0)]
)
async def test_a_strange_count_of_cached_tokens_does_no_harm(
    server: FaultServer, services: Services, ask: Ask, model: str, count: Any, read: int
) -> None:
    server.more = {"usage": {**USED, "prompt_cache_hit_tokens": count}}
    assert (await ask(prices={model: (1.0, 5.0)})())["flags"] == []
    (row,) = await booked(services, model)
    assert row.tokens_cached == read
    assert row.saved == 0


async def test_the_same_prompt_is_not_paid_twice(
    services: Services, server: FaultServer, ask: Ask, model: str
) -> None:
    recommend = ask()
    first = await recommend()
    again = await recommend()
    assert again["ranking"] == first["ranking"]
    assert (first["llm_calls"], again["llm_calls"], len(server.asked)) == (1, 0, 1)
    await recommend(1)
    rows = await booked(services, model)
    assert [row.hits for row in rows] == [1, 0]


async def test_nor_at_the_same_time(server: FaultServer, ask: Ask) -> None:
    server.delay = 0.1
    recommend = ask()
    results = await asyncio.gather(*(recommend() for _ in range(8)))
    assert len(server.asked) == 1
    assert sum(result["llm_calls"] for result in results) == 1


@pytest.mark.long
async def test_nor_by_several_processes_that_have_a_budget(
    services: Services, server: FaultServer, ask: Ask
) -> None:
    server.delay = 0.3
    recommend = ask()
    # What a process has of its own; the database is all that they share.
    own = [await open_services(services.settings) for _ in range(4)]
    try:
        results = await asyncio.gather(
            *(recommend(services=ServiceSet.of(some), budget=Budget()) for some in own)
        )
    finally:
        for some in own:
            await some.close()
    assert len(server.asked) == 1
    assert sum(result["llm_calls"] for result in results) == 1
    assert len({tuple(result["ranking"]) for result in results}) == 1


@pytest.mark.parametrize("change", [{"temperature": 0.7}, {"call_cache": False}])
async def test_without_cache_every_prompt_is_paid(
    services: Services, server: FaultServer, ask: Ask, model: str, change: dict[str, Any]
) -> None:
    recommend = ask(**change)
    await recommend()
    await recommend()
    assert len(server.asked) == 2
    assert [row.answer for row in await booked(services, model)] == [None, None]


async def test_a_bad_answer_is_booked_and_never_served_again(
    services: Services, server: FaultServer, ask: Ask, model: str
) -> None:
    server.play("prose", "prose", "401")
    recommend = ask()
    assert "completed" in (await recommend())["flags"]
    assert (await recommend())["flags"] == ["model_failed", "denied", "completed"]
    assert (await recommend())["flags"] == []
    rows = await booked(services, model)
    assert [(row.purpose, row.outcome) for row in rows] == [
        ("rank", "misshapen"),
        ("repair", "misshapen"),
        ("rank", "denied"),
        ("rank", "ok"),
    ]


async def test_the_offline_model_is_neither_booked_nor_cached(
    films: str, rows: Callable[[], dict[str, int]]
) -> None:
    before = rows()
    request: Any = {"domain": films, "history": IDS[:2], "candidates": CANDIDATES}
    context = Context(policy="none", record=False, model="offline")
    for _ in range(2):
        assert (await graph.ainvoke(request, context=context))["llm_calls"] == 1
    assert rows() == before


async def test_tokens_that_a_model_does_not_count_are_estimated(
    services: Services, films: str, script: Callable[..., Any], adjust: Callable[..., None]
) -> None:
    name, _ = script(lambda _: '{"ranking": [1, 2, 3, 4, 5, 6, 7, 8]}')
    adjust(prices={name: (10.0, 10.0)})
    budget = Budget()
    request: Any = {"domain": films, "history": IDS[:2], "candidates": CANDIDATES}
    context = Context(policy="none", record=False, model=name, budget=budget)
    await graph.ainvoke(request, context=context)
    (row,) = await booked(services, name)
    assert row.estimated
    assert 300 < row.tokens_in < 1000
    assert 5 < row.tokens_out < 30
    assert budget.cost == pytest.approx(row.cost)


async def test_a_budget_of_cost_stops_the_next_call(
    server: FaultServer, ask: Ask, model: str
) -> None:
    recommend = ask(prices={model: (1000.0, 1000.0)})  # 0.12 a call
    budget = Budget(max_cost=0.3)
    for at in range(3):
        await recommend(at, budget=budget)
    error = (await recommend(3, budget=budget))["error"]
    assert (error["kind"], error["field"]) == ("budget", "max_cost")
    assert len(server.asked) == 3
    await recommend(0, budget=budget)  # what was paid is still answered
    assert len(server.asked) == 3


@pytest.mark.parametrize("count", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
async def test_a_count_that_is_no_number_is_estimated_and_ends_no_budget(
    server: FaultServer, services: Services, ask: Ask, model: str, name: str, count: float
) -> None:
    server.more = {"usage": {**USED, name: count}}
    recommend = ask(prices={model: (1000.0, 1000.0)})
    budget = Budget(max_cost=0.3)
    errors = [(await recommend(at, budget=budget))["error"] for at in range(4)]
    assert errors[-1]["field"] == "max_cost"
    assert 0.3 <= budget.cost < 10
    rows = await booked(services, model)
    assert len(rows) == len(server.asked) < 4
    assert all(row.estimated and row.tokens_in > 0 for row in rows)


@pytest.mark.parametrize(
    ("sent", "read"), [(100.4, 100), (10**400, 10**9), (1e300, 10**9), (-5, 0)]
)
def test_counts_are_whole_and_bounded(sent: Any, read: int) -> None:
    message = AIMessage("x")
    message.usage_metadata = {"input_tokens": sent, "output_tokens": 1, "total_tokens": 1}
    assert read_usage(message) == Usage(read, 1)


def test_a_cost_that_is_no_number_is_a_spent_budget() -> None:
    with pytest.raises(BudgetSpentError):
        Budget(max_cost=1.0, cost=float("nan")).claim_call()


async def test_retries_count_against_the_budget_of_calls(server: FaultServer, ask: Ask) -> None:
    server.play("500", "500", "500")
    answer = await ask()(budget=Budget(max_llm_calls=2))
    assert answer["error"]["kind"] == "budget"
    assert len(server.asked) == 2


def test_prices() -> None:
    prices = {"openai:x": (0.4, 1.6)}
    assert call_cost(prices, "openai:x", 1_000_000, 500_000) == pytest.approx(1.2)
    assert call_cost(prices, "openai:x", 1_000_000, 500_000, 800_000) == pytest.approx(1.2)
    less = {"openai:x": (0.4, 1.6, 0.1)}
    assert call_cost(less, "openai:x", 1_000_000, 500_000, 800_000) == pytest.approx(0.96)
    assert call_cost(prices, "offline", 1_000_000, 500_000) == 0
    assert call_cost(prices, "openai:y", 1, 1) is None
    require_prices(prices, ["offline", "openai:x"])
    with pytest.raises(InputError, match="openai:y"):
        require_prices(prices, ["openai:x", "openai:y"])


def test_the_key_depends_on_model_server_and_prompt() -> None:
    from langchain_core.messages import HumanMessage, SystemMessage

    keys = {
        prompt_key("a", None, [HumanMessage("x")]),
        prompt_key("b", None, [HumanMessage("x")]),
        prompt_key("a", "http://one", [HumanMessage("x")]),
        prompt_key("a", None, [HumanMessage("y")]),
        prompt_key("a", None, [SystemMessage("x")]),
        prompt_key("a", None, [HumanMessage("x"), HumanMessage("")]),
    }
    assert len(keys) == 6
    assert prompt_key("a", None, [HumanMessage("x")]) in keys


# As a person sees it


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(RE2LLM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.long
async def test_costs_sums_the_ledger_up(server: FaultServer, ask: Ask, model: str) -> None:
    server.more = {"usage": {**USED, "prompt_tokens_details": {"cached_tokens": 50}}}
    recommend = ask(prices={model: (1000.0, 0.0, 500.0)})
    for at in range(3):
        await recommend(at, command="evaluate")
    await recommend(0, command="evaluate")
    done = await asyncio.to_thread(run, "costs", "--days", 2, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (row,) = [row for row in document["rows"] if row["model"] == model]
    assert (row["command"], row["questions"], row["cached"], row["failed"]) == ("evaluate", 3, 1, 0)
    assert (row["tokens_in"], row["tokens_out"], row["tokens_cached"]) == (300, 60, 150)
    assert row["cost"] == pytest.approx(0.225)
    assert row["saved"] == pytest.approx(0.075)
    assert document["total"]["cost"] > 0.22
    assert document["total"]["saved"] > 0.07


@pytest.mark.parametrize(
    ("cost", "unpriced", "said"), [(0.0, 2, False), (0.0, 0, True), (0.5, 1, True)]
)
def test_calls_without_a_price_do_not_look_free(cost: float, unpriced: int, said: bool) -> None:
    counts = dict.fromkeys(CostSums.model_fields, 0)
    sums = CostSums.model_validate(counts | {"questions": 3, "cost": cost, "unpriced": unpriced})
    assert CostSums.of([sums]).has_price is said
    shown = json.loads(CostSums.of([sums]).model_dump_json())
    assert shown["cost"] == (cost if said else None)
    assert CostSums.model_validate_json(sums.model_dump_json()) == sums
    row = CostRow(**sums.model_dump(), estimated=False)
    whole = Costs(rows=[row], total=sums, unpriced_models=[])
    assert Costs.model_validate(whole.model_dump(mode="json")) == whole


def test_sums_of_money_show_no_error_of_adding_up() -> None:
    counts = dict.fromkeys(CostSums.model_fields, 0)
    tenth = CostSums.model_validate(counts | {"cost": 0.1, "saved": 0.0001})
    shown = json.loads(CostSums.of([tenth] * 6).model_dump_json())
    assert (shown["cost"], shown["saved"]) == (0.6, 0.0006)


async def test_costs_name_the_models_without_a_price(
    ask: Ask, adjust: Callable[..., None], model: str
) -> None:
    await ask(prices={})(0)
    adjust(prices={})
    found = await costs(Context(), by=["command"])
    assert model in found.unpriced_models
    adjust(prices={model: (2.0, 2.0)})
    assert model not in (await costs(Context(), by=["command"])).unpriced_models


def test_a_missing_price_comes_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    counts = dict.fromkeys(CostSums.model_fields, 0)
    sums = CostSums.model_validate(counts | {"questions": 3, "unpriced": 2})
    print_costs(Costs(rows=[], total=sums, unpriced_models=["openai:mine"]), ["model"])
    said = " ".join(capsys.readouterr().out.split())
    assert """set RE2LLM_PRICES, for example RE2LLM_PRICES='{"openai:mine": [0.4, 1.6]}'""" in said


async def test_tokens_from_the_cache_keep_their_price_when_calls_are_priced_anew(
    server: FaultServer, ask: Ask, adjust: Callable[..., None], model: str
) -> None:
    server.more = {"usage": {**USED, "prompt_tokens_details": {"cached_tokens": 60}}}
    await ask(prices={})(0)
    await ask(prices={model: (2.0, 2.0)})(1)
    adjust(prices={model: (1.0, 5.0, 0.1)})
    today = (40 * 1.0 + 60 * 0.1 + 20 * 5.0) / 1e6
    for reprice, cost in ((False, today + 240 / 1e6), (True, 2 * today)):
        summed = await costs(Context(), reprice=reprice)
        (row,) = [row for row in summed.rows if row.model == model]
        assert (row.cost, row.unpriced) == (pytest.approx(cost), 0)


@pytest.mark.long
async def test_a_limit_of_cost_needs_a_price(films: str, tmp_path: Path) -> None:
    command = "RE2LLM_MODEL=openai:unpriced RE2LLM_API_KEY=k "
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-c", f"{command} {RE2LLM} learn --domain {films} --max-cost 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: --max-cost: RE2LLM_PRICES has no price for")
    assert len(done.stderr.strip().splitlines()) == 1
