"""`benchmarks.real_llm` against a real HTTP server: what it shows, and that it can be killed."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fault_server import Body, FaultServer, backwards, lettered, logprobs
from re2llm.benchmarks.model_arms import Answers
from re2llm.data.sample import simulate_sessions
from re2llm.errors import InputError

ROOT = Path(__file__).parent.parent.parent
SESSIONS, FINISHED = 6, 3
HINT = "Prefer what similar sessions chose."
ARMS = ["ordered", "hint a", "full", "shuffled"]
ORDERS = 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        {"history": session.history, "target": session.target}
        for session in simulate_sessions(SESSIONS, seed=3)[:SESSIONS]
    ]
    found = tmp_path / "sessions.jsonl"
    found.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return found


class Run:
    """A run of the benchmark in a process of its own."""

    def __init__(self, films: str, file: Path, name: str) -> None:
        self.resume = file.with_name(f"{name}.jsonl")
        self.document = file.with_name(f"{name}.json")
        self.server = FaultServer(speak=self._speak)
        self.kill_at = 0
        self._process: subprocess.Popen[str] | None = None
        self._command = [
            *(sys.executable, "-m", "benchmarks.real_llm", "--domain", films),
            *("--sessions", file, "--hint", HINT, "--permutations", ORDERS),
            *("--resume", self.resume, "--json", self.document),
        ]

    def _speak(self, body: Body) -> str:
        if self.kill_at and len(self.server.asked) > self.kill_at:
            assert self._process is not None
            self._process.send_signal(signal.SIGKILL)
        return backwards(body)

    def __call__(self, *more: object) -> tuple[int, str, str]:
        settings = {
            "RE2LLM_MODEL": "openai:measured",
            "RE2LLM_BASE_URL": self.server.url,
            "RE2LLM_API_KEY": "sk-none",
        }
        self._process = subprocess.Popen(
            [str(word) for word in (*self._command, *more)],
            cwd=ROOT,
            env={**os.environ, **settings, "RE2LLM_FUSE": "learned"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out, err

    def found(self) -> dict[str, Any]:
        """What was measured, without the times."""
        document = json.loads(self.document.read_text())
        for row in document["answers"]:
            assert row.pop("p50_ms") <= row.pop("p95_ms")
        return document


@contextmanager
def prepared(films: str, file: Path, name: str) -> Iterator[Run]:
    one = Run(films, file, name)
    with one.server.running():
        yield one


@pytest.mark.slow
def test_a_killed_run_goes_on_and_pays_for_no_answer_twice(films: str, file: Path) -> None:
    each = len(ARMS) + ORDERS - 1
    with prepared(films, file, "whole") as whole:
        code, _, err = whole()
        assert code == 0, err
        assert len(whole.server.asked) == each * SESSIONS
    with prepared(films, file, "killed") as killed:
        killed.kill_at = each * FINISHED + 1  # in the middle of the next session
        assert killed()[0] == -signal.SIGKILL
        assert len(killed.resume.read_text().splitlines()) == FINISHED
        with killed.resume.open("a") as half_written:
            half_written.write('{"session": 3, "ans')
        killed.kill_at = 0
        code, _, err = killed()
        assert code == 0, err
        lines = [json.loads(line) for line in killed.resume.read_text().splitlines()]
        assert [line["session"] for line in lines] == list(range(SESSIONS))
        times_asked = Counter(asked.text for asked in killed.server.asked)
        assert sorted(times_asked.values()) == [1] * (each * SESSIONS - 1) + [2]
    without_known = killed.found()
    measured = [row.pop("measured") for row in without_known["answers"]]
    expected = whole.found()
    assert [row.pop("measured") for row in expected["answers"]] == [SESSIONS] * len(ARMS)
    # The answer that was paid just before the kill is kept, but not what it took.
    assert measured == [SESSIONS - 1, *[SESSIONS] * (len(ARMS) - 1)]
    assert without_known == expected


@pytest.mark.long
def test_what_it_shows(films: str, file: Path) -> None:
    with prepared(films, file, "shown") as one:
        one.server.play('says {"ranking": [99, 2, 2]}')
        code, out, err = one()
        assert code == 0, err
        asked = [body.body for body in one.server.asked]
    found = one.found()
    assert found["sessions"] == SESSIONS
    assert found["hints"] == {"hint a": HINT}
    assert [row["name"] for row in found["answers"]] == ARMS
    ordered, *others = found["answers"]
    assert ordered["faults"] == {"repeated": 1, "invented": 1, "missing": 9}
    assert ordered["valid"] == SESSIONS - 1
    assert ordered["calls"] == round((SESSIONS + 1) / SESSIONS, 2)
    assert ordered["tokens"] == {"in": 117, "cached": 0, "out": 23}
    assert all(row["valid"] == SESSIONS and row["calls"] == 1 for row in others)
    rows = {row["name"]: row for row in found["ranking"]}
    assert list(rows) == [
        "first-stage",
        *("ordered", "ordered, fused", "hint a", "hint a, fused", "full", "full, fused"),
        *("shuffled", "shuffled, calibrated", "shuffled, fused"),
    ]
    assert set(rows["hint a, fused"]["over"]) == {"first-stage", "ordered, fused"}
    assert set(rows["ordered"]["over"]) == {"first-stage"}
    assert found["orders"]["orders"] == ORDERS
    # The prompts without a hint are first, and those with one go on where they end.
    texts = [body["messages"][1]["content"] for body in asked if len(body["messages"]) == 2]
    plain, hinted, full = texts[:3]
    assert hinted == f"{plain}\nHint: {HINT}"
    assert "rank the best 10" in plain
    assert "rank the best 20" in full
    assert "too few sessions" in out
    assert "Naming all candidates" in out


@pytest.mark.slow
def test_letters_have_rows_where_they_work(films: str, file: Path) -> None:
    with prepared(films, file, "letters") as one:
        one.server.logprobs = lambda body: logprobs(
            {letter: -0.1 * (n + 1) for n, letter in enumerate(lettered(body))}
        )
        code, _, err = one("--letters")
        assert code == 0, err
        found = one.found()
        rows = {row["name"]: row for row in found["ranking"]}
        assert [name for name in rows if name.startswith("letters")] == [
            *("letters", "letters, calibrated", "letters, fused")
        ]
        # Its letters follow the places alone: raw, that is the first stage's order, and no more.
        first = rows["first-stage"]["ndcg@10"]
        assert {rows[name]["ndcg@10"] for name in rows if name.startswith("letters")} == {first}
        costs = {row["name"]: row for row in found["answers"]}
        assert (costs["letters"]["valid"], costs["letters"]["calls"]) == (SESSIONS, 1)
        assert len(one.server.asked) == (len(ARMS) + ORDERS) * SESSIONS
        # Known to work from then on, they are asked for by themselves, and the answers are kept.
        asked = len(one.server.asked)
        assert one()[0] == 0
        assert len(one.server.asked) == asked
        assert one.document.read_text().count('"letters, calibrated"') == 1


@pytest.mark.long
def test_letters_have_no_rows_where_they_do_not_work(films: str, file: Path) -> None:
    with prepared(films, file, "lists") as one:
        code, _, err = one("--letters")
        assert code == 0, err
        assert [row["name"] for row in one.found()["answers"]] == ARMS
        assert "no row for letters" in err


@pytest.mark.parametrize("content", ['{"n": 3}\n', "[1]\n", "words\n"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "notes"
    file.write_text(content)
    with pytest.raises(InputError, match="--resume"):
        Answers(file)
    assert file.read_text() == content
