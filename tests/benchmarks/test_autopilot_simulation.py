"""The viewers on whom the autopilot is proved, and what is said of a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from re2llm.benchmarks.autopilot import _print as print_run  # pyright: ignore[reportPrivateUsage]
from re2llm.benchmarks.autopilot_simulation.drawing import draw_run
from re2llm.benchmarks.autopilot_simulation.summary import gains, overspent, smoothed
from re2llm.benchmarks.autopilot_simulation.viewers import DriftingViewers, Phase
from re2llm.data.sample import Mood
from re2llm.operations.autopilot.results import AutopilotDay

PHASES = (Phase(0.5, (Mood.GENRE,)), Phase(1.0, (Mood.SWING,)))


def test_requests_are_the_same_each_time_and_no_session_comes_twice() -> None:
    first, second = (DriftingViewers(120, viewers=10, phases=PHASES, seed=3) for _ in range(2))
    visits = [first.visit(number) for number in range(120)]
    assert visits == [second.visit(number) for number in reversed(range(120))][::-1]
    asked = {(one.viewer, one.phase, one.session.history, one.session.target) for one in visits}
    assert len(asked) == 120
    for one in visits:
        shown = one.session.candidates or ()
        assert len(set(shown)) == 50
        assert one.session.target in shown
        assert not set(shown) & set(one.session.history)
    assert 0.4 < np.mean([one.answers for one in visits]) < 0.8


def test_tastes_drift_from_one_phase_to_the_next() -> None:
    viewers = DriftingViewers(200, viewers=20, phases=PHASES, overlap=0.2, seed=0)
    phases = [viewers.visit(number).phase for number in range(200)]
    assert set(phases[:75]) == {0}
    assert set(phases[125:]) == {1}
    assert set(phases[85:115]) == {0, 1}  # one turns into the other


def test_gains_are_of_the_same_requests_and_days_are_added_up() -> None:
    rows = gains([0, 0, 1, 1], [0.0, 0.2, 0.5, 0.5], [0.5, 0.7, 0.5, 0.5])
    assert [(row["phase"], row["difference"]) for row in rows] == [(0, 0.5), (1, 0.0), (None, 0.25)]
    assert rows[0]["ci95"] == [0.5, 0.5]
    days = [day(0.8), day(0.8001), day(0.1)]
    assert overspent(days) == [days[1]["day"]]
    assert smoothed([0.0, 1.0, 1.0, 0.0], 2) == ([1, 2, 3], [0.5, 1.0, 0.5])


def day(usd: float) -> dict[str, Any]:
    used = AutopilotDay(
        day=f"day with {usd}",
        llm_calls=1234,
        max_llm_calls=None,
        cost=usd,
        reserved=0.0,
        max_cost=0.8,
    )
    return {"number": 0, **used.model_dump()}


def test_a_run_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    marks = [{"request": 10, "what": "learn", "words": "There are 5 new misses."}]
    rows = gains([0, 0, 1, 1], [0.0, 0.2, 0.5, 0.5], [0.5, 0.7, 0.5, 0.5])
    print_run({"gains": rows, "days": [day(0.5)], "marks": marks})
    said = capsys.readouterr().out
    assert "  1  0.50   0.80   1,234\n" in said
    assert "     10  learn: There are 5 new misses.\n" in said


def test_a_run_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    document = {
        "rewards": {"with": [0.1] * 80, "without": [0.2] * 80},
        "phase_ends": [40],
        "marks": [{"request": 10, "what": what, "words": ""} for what in ("learn", "hold")],
        "days": [day(0.5)],
        "day_length": 80,
        "limit": {"cost": 0.8, "llm_calls": None},
    }
    draw_run(document, tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
