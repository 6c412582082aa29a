"""The benchmark of training from few cells, on a made-up table."""

from pathlib import Path

import numpy as np
import pytest
from re2llm.benchmarks import few_calls
from re2llm.benchmarks.few_calls_figure import draw
from re2llm.benchmarks.few_calls_tables import Tables

SESSIONS, HINTS = 400, 4


@pytest.fixture(scope="module")
def tables() -> Tables:
    rng = np.random.default_rng(1)
    gains = 0.2 * rng.standard_normal((SESSIONS, 1 + HINTS)) + 0.1 * np.arange(1 + HINTS)
    gains[:, 0] = 0.0
    paid = np.zeros(gains.shape, dtype=np.bool_)
    paid[:20] = True
    return Tables(
        gains,
        paid,
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
    assert few.spent["calls"] == (few.paid & ~tables.paid).sum() <= 240
    assert few.spent["visited"] == (few.rows >= tables.first).sum()
    assert few.rewards.shape == (len(few.rows), 1 + HINTS)
    everything = few_calls.chosen(tables, 100_000)
    assert everything.spent["visited"] == SESSIONS - tables.first
    assert everything.spent["calls"] < (~tables.paid).sum()


def test_a_validation_pays_for_the_choice_and_the_best_hint(tables: Tables) -> None:
    paid = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1]], dtype=np.bool_)
    # The choice; both; the best hint, which is the choice; nothing.
    assert few_calls._validation(paid, np.array([2, 2, 1, 2])) == 1 + 2 + 1 + 0
    stats = tables.statistics(every_cell=False)
    assert np.expm1(stats[:, -1]) == pytest.approx(20)
    assert np.expm1(tables.statistics(every_cell=True)[:, -1]) == pytest.approx(40)


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
