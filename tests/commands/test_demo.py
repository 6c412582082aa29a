"""The demo and the tutorial, as a newcomer runs them: in a fresh home, and once more."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from re2llm.commands.demo_words import what_it_shows
from re2llm.data.sample import load_films
from re2llm.evaluation.experiment import Row
from re2llm.evaluation.summary import summarise

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


def test_what_the_table_shows_is_read_off_its_rows() -> None:
    """With ranks that leave no doubt, in both directions, and with ranks that are noise."""
    best, worst, noise = [1] * 40, [30] * 40, [1, 30] * 20
    other = [30, 1] * 20
    low, high = ("policy", "none", worst), ("baseline", "first-stage", best)
    clear = _shown(low, ("policy", "random", worst), ("policy", "static", worst), high, ppo=best)
    assert "  ppo beats no hint (none): +1.000 (+1.000 to +1.000)" in clear
    assert "  ppo cannot be told from the first stage: +0.000 (+0.000 to +0.000)" in clear
    assert "little to choose" not in clear[-1]
    same = ("baseline", "random", best)  # of the same name: not the one that is meant
    hazy = _shown(same, ("policy", "random", other), ("policy", "static", best), high, ppo=noise)
    assert any(
        line.startswith("  ppo cannot be told from a random hint (random): +0.000 (-0.")
        for line in hazy
    )
    assert any(
        line.startswith("  ppo is below always the best hint (static): -0.500 (-0.")
        for line in hazy
    )
    assert any(line.startswith("  ppo is below the first stage: -0.500 (-0.") for line in hazy)
    assert hazy[-1].startswith("With 2 hints, there is little to choose from")


def _shown(*rows: tuple[str, str, list[int]], ppo: list[int]) -> list[str]:
    every = [*rows, ("policy", "ppo", ppo)]
    made = [Row(name, kind, np.array(ranks)) for kind, name, ranks in every]
    return what_it_shows(summarise(made), 2)


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
    assert re.search(r"  ppo .+ no hint \(none\): [+-]", printed[0])
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
    assert "Where it comes from" in hints
    assert "300 sessions" in evaluated
    assert "Release 1, active" in policy


def run_block(home: Path, block: str) -> str:
    return run(home, "bash", "-euo", "pipefail", "-c", block)
