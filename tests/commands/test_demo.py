"""The demo and the tutorial, as a newcomer runs them: in a fresh home, and once more."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from re2llm.data.sample import load_films

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def run(home: Path, *command: str) -> str:
    """Run a command in a home of its own; return what it printed."""
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
        cwd=home.parent,
        env={
            **os.environ,
            "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
            "RE2LLM_HOME": str(home),
            "COLUMNS": "160",
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_runs_twice_in_a_fresh_home(home: Path) -> None:
    printed: list[str] = []
    seconds: list[float] = []
    for _ in range(2):
        started = time.monotonic()
        printed.append(run(home, "re2llm", "demo"))
        seconds.append(time.monotonic() - started)
    assert printed[0] == printed[1]
    for name in ("none", "random", "static", "ppo", "popularity", "vsknn"):
        assert name in printed[0]
    assert sum(film.title in printed[0] for film in load_films()) >= 15
    assert seconds[1] < 60


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_follows_the_demo(home: Path) -> None:
    """Every command of the tutorial, one after another, as they are written there."""
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"))
    assert blocks[0] == "make demo\nsource .venv/bin/activate\n"
    assert blocks[1] == "export RE2LLM_FUSE=llm\n"  # as in these tests
    run(home, "re2llm", "demo")  # quick if the test above has run
    outputs = [run_block(home, block) for block in blocks[2:]]
    recommended, without, fed_back, hints, evaluated, policy = outputs
    assert "hint: " in recommended
    assert "hint: " not in without
    assert "Stored: Aliens [aliens-1986], at rank" in fed_back
    assert '"text": ' in hints
    assert "300 sessions" in evaluated
    assert '"status": "active"' in policy


def run_block(home: Path, block: str) -> str:
    return run(home, "bash", "-euo", "pipefail", "-c", block)
