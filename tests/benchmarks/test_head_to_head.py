"""`benchmarks.head_to_head` on the sample of films: what each contender spends, and its table."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from re2llm.benchmarks.head_to_head import NAMES, compare, lines, table
from re2llm.benchmarks.learning_runs import counted_offline
from re2llm.runtime.services import Services

pytest.importorskip("gepa")
pytest.importorskip("matplotlib")

CALLS, SESSIONS = 60, 4


@pytest.mark.long
async def test_no_contender_spends_more_than_its_calls_and_a_second_run_asks_nothing(
    services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = services.settings
    file, figure = tmp_path / "found.json", tmp_path / "curve.png"
    given = argparse.Namespace(
        data=None,
        calls=[CALLS],
        seeds=[0],
        contenders=[name for name in NAMES if name != "none"],
        sessions_limit=SESSIONS,
        json=file,
        figure=figure,
    )
    with counted_offline() as counter:
        await compare(given, counter)
        first, calls = capsys.readouterr().out, counter.calls
        rows: list[dict[str, Any]] = json.loads(file.read_text())
        await compare(given, counter)
        assert counter.calls == calls
    assert capsys.readouterr().out == first
    assert json.loads(file.read_text()) == rows
    assert services.settings is kept
    paid = {row["contender"]: row["paid"] for row in rows}
    assert tuple(paid) == NAMES
    assert paid["none"] == 0
    assert all(paid[name] == CALLS for name in ("static", "playbook", "ppo-1", "ppo-set"))
    assert 0 < paid["gepa"] <= CALLS
    for row in rows:
        # What was counted at the model is what the budgets have counted.
        assert row["counted"] == row["paid"] == sum(row["spent"].values())
        assert len(row["ndcg"]) == SESSIONS
    assert figure.read_bytes().startswith(b"\x89PNG")


def row(name: str, calls: int, seed: int, ndcg: list[float]) -> dict[str, Any]:
    return {
        "contender": name,
        "calls": calls,
        "seed": seed,
        "paid": calls,
        "hints": 1.0,
        "characters": 40,
        "ndcg": ndcg,
    }


def test_differences_are_paired_by_session_and_averaged_over_seeds() -> None:
    found = table(
        [
            row("static", 9, 0, [0.1, 0.5, 0.9]),
            row("static", 9, 1, [0.3, 0.7, 0.3]),
            row("gepa", 9, 0, [0.2, 0.6, 1.0]),
            row("gepa", 9, 1, [0.4, 0.8, 0.4]),
            row("gepa", 20, 0, [0.0, 0.0, 0.0]),
        ]
    )
    static, gepa, more = found
    assert static["ndcg@10"] == pytest.approx(2.8 / 6, abs=1e-4)
    assert gepa["seeds"] == 2
    # Each session differs by the same, so that the paired interval has no width.
    assert gepa["over_static"] == gepa["over_static_ci95"][0] == gepa["over_static_ci95"][1] == 0.1
    assert "over_static" not in static
    assert "over_static" not in more  # there is no `static` with as many calls
    assert "+0.1000 (+0.1000 to +0.1000)" in "\n".join(lines(found))
