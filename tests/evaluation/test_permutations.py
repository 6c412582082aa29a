"""Orders of the candidates: what they do to a ranker, and fusing the answers to several."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage
from prompts import document_of
from re2llm.data.sample import load_films
from re2llm.errors import InputError
from re2llm.evaluation.experiment import Row
from re2llm.evaluation.permutations import fused_row, order_spread
from re2llm.graph.recommend import graph
from re2llm.jobs.queue.submit import submit
from re2llm.operations.evaluation.evaluate import evaluate
from re2llm.operations.evaluation.experiment import Experiment
from re2llm.ranking.listing import prompt_order
from re2llm.ranking.orders import fuse
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

IDS = [film.id for film in load_films()]
SESSIONS = [
    Session(tuple(IDS[at : at + 2]), IDS[at + 40], tuple(IDS[at + 30 : at + 50]))
    for at in range(0, 120, 10)
]
Script = Callable[..., tuple[str, Any]]


def first_come(messages: Sequence[BaseMessage]) -> str:
    """A model with nothing but position bias."""
    return json.dumps({"ranking": list(range(1, len(document_of(messages)["candidates"]) + 1))})


def by_title(messages: Sequence[BaseMessage]) -> str:
    """A model without any."""
    listed = document_of(messages)["candidates"]
    order = sorted(listed, key=lambda candidate: candidate["title"])
    return json.dumps({"ranking": [candidate["number"] for candidate in order]})


async def spread(films: str, model: str) -> tuple[dict[str, Any], Row, list[Row]]:
    experiment = Experiment(Context(domain=films, model=model, seed=0), SESSIONS)
    rows = await experiment.policies(["none"])
    ((found, fused),) = await experiment.permutations(rows, 4)
    return found, fused, rows


async def test_a_ranker_without_position_bias_gives_the_same_in_every_order(
    films: str, script: Script
) -> None:
    name, model = script(by_title)
    found, fused, rows = await spread(films, name)
    assert len(model.asked) == 4 * len(SESSIONS)
    assert (found["sd"], found["range"], found["rank_sd"]) == (0, 0, 0)
    assert (found["kendall_tau"], found["top10_overlap"], found["same_first"]) == (1, 1, 1)
    assert fused.ranks.tolist() == rows[0].ranks.tolist()
    assert fused.llm_calls == 4 * len(SESSIONS)


async def test_position_bias_shows(films: str, script: Script) -> None:
    name, model = script(first_come)
    found, _, _ = await spread(films, name)
    assert found["orders"] == 4
    assert len(set(found["ndcg@10"])) > 1
    assert found["sd"] > 0
    assert abs(found["kendall_tau"]) < 0.3
    assert found["rank_sd"] > 2
    first, _, last = found["by_third"]
    assert first > 0.3
    assert last == 0
    # The prompts really had the orders that the figures are sorted by.
    orders = {
        tuple(prompt_order(session.candidates or (), session.history, 0, order))
        for session in SESSIONS
        for order in range(4)
    }
    titles = {film.id: film.title for film in load_films()}
    shown = {tuple(entry["title"] for entry in document_of(m)["candidates"]) for m in model.asked}
    assert shown == {tuple(titles[item] for item in order) for order in orders}
    assert len(orders) == 4 * len(SESSIONS)


def test_figures_by_hand() -> None:
    sessions = [Session(("h",), "a", ("a", "b", "c"))]
    rankings = [["a", "b", "c"], ["c", "b", "a"]]
    rows = [Row("m", "policy", np.array([r[0].index("a") + 1]), 1, rankings=r)
            for r in ([rankings[0]], [rankings[1]])]  # fmt: skip
    found = order_spread(rows, sessions, [[["a", "b", "c"]], [["b", "c", "a"]]])
    assert found["ndcg@10"] == [1.0, 0.5]
    assert (found["mean"], found["range"], found["kendall_tau"]) == (0.75, 0.5, -1.0)
    assert found["sd"] == pytest.approx(0.3536, abs=1e-4)
    assert found["by_third"] == [1.0, None, 0.5]
    assert fused_row(rows, sessions).llm_calls == 2


async def test_several_orders_are_those_of_the_model_alone_and_that_is_told(
    services: Services, films: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.settings, "fuse", "learned")
    name, model = script(by_title)
    compared: dict[str, Any] = {"policies": ["none"], "baselines": [], "permutations": 2}
    context = Context(domain=films, model=name)
    for mode in ("learned", "sum", "first_stage"):
        other = replace(context, fuse=mode)
        with pytest.raises(InputError) as refused:
            await evaluate(other, SESSIONS, **compared)
        assert (refused.value.field, model.asked) == ("fuse", [])
        with pytest.raises(InputError, match="With several orders"):
            await submit(other, "evaluate", {"sessions": SESSIONS, **compared})
    for one in (context, replace(context, fuse="llm")):
        notes = (await evaluate(one, SESSIONS, **compared)).notes
        assert any("the model alone ranks" in note for note in notes)
    offline = replace(context, model="offline")
    job = await submit(offline, "evaluate", {"sessions": SESSIONS, **compared})
    assert job.arguments["context"]["fuse"] == "llm"
    alone = await evaluate(
        replace(context, fuse="learned"), SESSIONS, policies=["none"], baselines=[]
    )
    assert not any("the model alone ranks" in note for note in alone.notes)


async def test_production_fuses_orders_too(services: Services, films: str, script: Script) -> None:
    name, model = script(by_title)
    request: Any = {"domain": films, "history": IDS[:2], "candidates": IDS[10:30], "k": 20}
    options: dict[str, Any] = {"policy": "none", "model": name, "record": False}
    plain = await graph.ainvoke(request, context=Context(**options))
    fused = await graph.ainvoke(request, context=Context(**options, orders=3))
    assert fused["ranking"] == plain["ranking"]
    assert (fused["llm_calls"], fused["flags"]) == (3, [])
    orders = {tuple(e["title"] for e in document_of(m)["candidates"]) for m in model.asked}
    assert len(model.asked) == 4
    assert len(orders) == 3


async def test_one_order_that_fails_is_outvoted(films: str, script: Script) -> None:
    calls = 0

    def answer(messages: Sequence[BaseMessage]) -> str:
        nonlocal calls
        calls += 1
        return "I would rather not." if calls == 2 else by_title(messages)

    name, _ = script(answer)
    request: Any = {"domain": films, "history": IDS[:2], "candidates": IDS[10:30], "k": 20}
    context = Context(policy="none", model=name, record=False, orders=3)
    result = await graph.ainvoke(request, context=context)
    titles = [item["title"] for item in result["items"]]
    assert titles == sorted(titles)
    assert result["flags"] == ["wrong_format", "missing"]


@given(st.lists(st.permutations(range(8)), min_size=1, max_size=5))
def test_a_fusion_is_a_permutation_and_respects_unanimity(rankings: list[list[int]]) -> None:
    fused = fuse(rankings)
    assert sorted(fused) == list(range(8))
    for a in range(8):
        for b in range(8):
            if all(r.index(a) < r.index(b) for r in rankings):
                assert fused.index(a) < fused.index(b)


def test_fusing_evens_out_position_bias() -> None:
    generator = random.Random(0)
    orders = [generator.sample(range(30), 30) for _ in range(400)]
    # Each answer is half taste (small numbers first), half position.
    answers = [sorted(order, key=lambda item, o=order: item + o.index(item)) for order in orders]

    def inversions(ranking: list[int]) -> int:
        return sum(a > b for at, a in enumerate(ranking) for b in ranking[at:])

    assert inversions(fuse(answers)) < 0.2 * np.mean([inversions(answer) for answer in answers])
