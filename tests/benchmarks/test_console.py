"""The benchmark of the console fills a small database and gets an answer from every page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_page_is_timed(tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    made = [*("--hints", "120"), *("--recommendations", "300"), *("--runs", "1")]
    words = [sys.executable, "-m", "benchmarks.console", *made, "--json", str(file)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = {row["page"]: row for row in json.loads(file.read_text())}
    assert {"/", "/hints", "/hints/1", "/hints?sort=-uses", "/costs", "/jobs"} <= set(rows)
    assert all(row["ms"] > 0 for row in rows.values())
    assert rows["/hints?sort=-uses"]["database_ms"] >= 0
    assert "slowest: " in done.stdout
