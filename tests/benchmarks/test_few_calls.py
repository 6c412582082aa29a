"""The benchmark of training from few cells: on a made-up table, and its table of the films."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from re2llm.benchmarks import few_calls
from re2llm.benchmarks.few_calls_figure import draw
from re2llm.benchmarks.few_calls_tables import Tables, build_tables
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import add_hint, hint_key
from re2llm.operations.loading.load import load_domain
from re2llm.policies import recipes
from re2llm.runtime.services import Services

SESSIONS, HINTS = 400, 4
TEXTS = ["Prefer the same director as in the history.", "Prefer recent titles."]


@pytest.fixture(scope="module")
def tables() -> Tables:
    rng = np.random.default_rng(1)
    gains = 0.2 * rng.standard_normal((SESSIONS, 1 + HINTS)) + 0.1 * np.arange(1 + HINTS)
    gains[:, 0] = 0.0
    paid = np.zeros(gains.shape, dtype=np.bool_)
    paid[:20] = True
    own = np.zeros(gains.shape, dtype=np.bool_)
    own[::50, 2] = True
    return Tables(
        gains,
        paid,
        own,
        rng.standard_normal((SESSIONS, 5)).astype(np.float32),
        np.arange(SESSIONS),
        rng.standard_normal((HINTS, 6)).astype(np.float32),
        np.array([bytes([number]) for number in range(1, HINTS + 1)], dtype="V"),
        np.abs(gains[:50]),
        rng.standard_normal((50, 5)).astype(np.float32),
        np.array([20, 40]),
    )


def test_no_more_is_spent_than_allowed_and_what_is_paid_is_counted(tables: Tables) -> None:
    few = few_calls.chosen(tables, 300)
    assert len(few.rows) == few.spent["visited"] == 300 // (1 + HINTS)
    assert few.spent["calls"] == 300
    assert few.rows.min() >= tables.first
    assert not tables.own[few.rows].any()
    everything = few_calls.chosen(tables, 100_000)
    fair = ~tables.own[tables.first :].any(axis=1)
    assert everything.spent["visited"] == fair.sum() == SESSIONS - tables.first - 7
    assert everything.spent["calls"] == fair.sum() * (1 + HINTS)
    again = few_calls.chosen(replace(tables, paid=np.ones_like(tables.paid)), 1)
    assert (again.spent["calls"], again.spent["visited"]) == (0, fair.sum())


def test_stats_count_the_panel_and_what_was_visited_but_no_hints_own_session(
    tables: Tables,
) -> None:
    def counts(visited: list[int], *, every_cell: bool) -> list[int]:
        found = tables.statistics(every_cell=every_cell, visited=np.array(visited, dtype=int))
        return np.expm1(found[:, -1]).round().astype(int).tolist()

    assert counts([], every_cell=False) == [20, 19, 20, 20]
    assert counts([], every_cell=True) == [40, 39, 40, 40]
    assert counts([45, 46], every_cell=False) == [22, 21, 22, 22]


@pytest.mark.long
def test_the_figure_is_drawn_and_the_table_printed(
    tables: Tables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = {"static": 0.5, "over_static": 0.01, "error": 0.005, "visited": 100}
    rows = [
        {**common, "limit": limit, "seed": seed, "calls": calls, "ndcg": 0.5 + seed / 100}
        | {"stops_at": 300 if limit == 1000 else None}
        for limit, calls in ((500, 450), (1000, 930), (None, 9000))
        for seed in (0, 1)
    ]
    draw(rows, tmp_path / "few.png")
    assert (tmp_path / "few.png").read_bytes().startswith(b"\x89PNG")
    few_calls.show(rows, tables)
    printed = capsys.readouterr().out
    assert "stops by itself after 300 calls" in printed
    assert "1,000" in printed
    assert "9,000" in printed


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = recipes.default_config

    def config(recipe: recipes.PolicyRecipe, *, seed: int = 0) -> recipes.TrainingConfig:
        found = usual(recipe, seed=seed)
        return replace(found, ppo=replace(found.ppo, updates=4), members=2)

    monkeypatch.setattr(recipes, "default_config", config)


@pytest.mark.usefixtures("short")
def test_a_policy_is_trained_on_what_was_paid_for_and_measured_unseen(tables: Tables) -> None:
    few = few_calls.chosen(tables, 300)
    row = few_calls.measured(tables, few, 0)
    assert (row["limit"], row["visited"]) == (300, few.spent["visited"])
    assert row["calls"] == few.spent["calls"]
    assert row["validation_sessions"] == len(few.rows)
    assert row["over_static"] == pytest.approx(row["ndcg"] - row["static"])
    assert row["static"] == pytest.approx(tables.test_ndcg[:, 1].mean())
    everything = few_calls.measured(tables, None, 0)
    assert everything["limit"] is None
    assert everything["validation_sessions"] == SESSIONS - tables.first


@pytest.mark.long
async def test_the_tables_hold_every_hint_on_every_session(
    services: Services, domain: str, adjust: Callable[..., None], tmp_path: Path
) -> None:
    adjust(verify_random=4, verify_doubtful=1, train_panel=6)
    known, unseen = simulate_sessions(12, seed=3), simulate_sessions(3, seed=8)
    await load_domain(services, domain, sample_items(), [lambda _: known])
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for text, vector in zip(TEXTS, services.embedder.encode(TEXTS), strict=True):
            await add_hint(connection, found.id, text, vector, provenance={})
    test = tmp_path / "test.jsonl"
    lines = [{"history": one.history, "target": one.target} for one in unseen]
    test.write_text("\n".join(json.dumps(line) for line in lines))
    await build_tables(domain, test, tmp_path / "tables.npz")
    tables = Tables.read(tmp_path / "tables.npz")
    assert tables.gains.shape == (len(known), 3)
    assert np.isfinite(tables.gains).all()
    assert not tables.own.any()  # the hints were added by hand
    assert (tables.gains[:, 0] == 0).all()
    assert tables.test_ndcg.shape == (len(unseen), 3)
    assert ((tables.test_ndcg >= 0) & (tables.test_ndcg <= 1)).all()
    assert (tables.panel, tables.first) == (4, 6)
    assert [bytes(key) for key in tables.hint_keys] == [hint_key(text) for text in TEXTS]
    assert tables.embeddings.shape[0] == len(tables.hint_keys)
    assert tables.states.shape[1:] == tables.test_states.shape[1:]
