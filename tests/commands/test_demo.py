"""The demo, as a newcomer runs it: in a fresh home, and once more."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from re2llm.data.sample import load_films


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_runs_twice_in_a_fresh_home(tmp_path: Path) -> None:
    printed: list[str] = []
    seconds: list[float] = []
    for _ in range(2):
        started = time.monotonic()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("re2llm")), "demo"],
            capture_output=True,
            text=True,
            timeout=290,
            check=False,
            env={**os.environ, "RE2LLM_HOME": str(tmp_path / "home"), "COLUMNS": "160"},
        )
        seconds.append(time.monotonic() - started)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    for name in ("none", "random", "static", "ppo", "popularity", "vsknn"):
        assert name in printed[0]
    assert sum(film.title in printed[0] for film in load_films()) >= 15
    assert seconds[1] < 60
