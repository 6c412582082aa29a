"""`re2llm learn`: budgets, stops and crashes at any point, and many learners at once."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langchain_core.messages import AIMessage
from re2llm.cli import app
from re2llm.commands.learn import learn_from, unsettled_sessions
from re2llm.commands.loading import load_domain
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hints import add_hint
from re2llm.nodes.budget import Budget
from re2llm.nodes.services import Services
from re2llm.records import Session
from re2llm.sessions.sample import sample_items, simulate_sessions
from typer.testing import CliRunner

RE2LLM = Path(sys.executable).with_name("re2llm")
SESSIONS = simulate_sessions(7, seed=1)
PANEL = {"verify_random": 6, "verify_near": 2, "verify_rule": "paper"}
"""The paper's rule, since few sessions prove nothing; kept small, since each trial takes time."""

Change = Callable[..., None]
Learnt = dict[str, Any]


async def prepare(services: Services, domain: str, sessions: Sequence[Session] = SESSIONS) -> str:
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    return domain


async def learn(
    services: Services,
    domain: str,
    budget: Budget | None = None,
    *,
    max_hints: int = 99,
    concurrency: int = 1,
) -> tuple[dict[str, int], Budget, bool]:
    budget = budget or Budget()
    todo = await unsettled_sessions(services, domain, [], 0)
    counts, spent = await learn_from(
        services,
        domain,
        todo,
        max_hints=max_hints,
        budget=budget,
        concurrency=concurrency,
        seed=0,
    )
    return counts, budget, spent is not None


def knowledge(url: str, domain: str) -> Learnt:
    """Return all that a domain has learnt, without the keys that differ between databases.

    Figures are rounded: rows come in any order, and so does their sum.
    """
    places = (
        "WITH d AS (SELECT id FROM re2llm.domain WHERE name = %(domain)s), placed AS (SELECT id, "
        "row_number() OVER (ORDER BY id) AS place FROM re2llm.session "
        "WHERE domain_id = (SELECT id FROM d)) "
    )
    queries = {
        "hints": "SELECT text, status, trials, round(mean_gain::numeric, 9), "
        "round(gain_error::numeric, 9), helped, harmed, p.place "
        "FROM re2llm.hint AS h LEFT JOIN placed AS p ON p.id = (h.provenance->>'session')::int "
        "WHERE h.domain_id = (SELECT id FROM d) ORDER BY h.id",
        "proposals": "SELECT q.text, outcome, reason, verification, p.place, h.text "
        "FROM re2llm.hint_proposal AS q LEFT JOIN re2llm.reflection AS r ON r.id = reflection_id "
        "LEFT JOIN placed AS p ON p.id = r.session_id LEFT JOIN re2llm.hint AS h ON h.id = hint_id "
        "WHERE q.domain_id = (SELECT id FROM d) ORDER BY q.id",
        "reflections": "SELECT p.place, rank, diagnosis, messages FROM re2llm.reflection AS r "
        "JOIN placed AS p ON p.id = session_id WHERE domain_id = (SELECT id FROM d) ORDER BY r.id",
        "trials": "SELECT p.place, encode(hint_key, 'hex'), rank, ndcg, answer "
        "FROM re2llm.hint_trial JOIN placed AS p ON p.id = session_id "
        "WHERE domain_id = (SELECT id FROM d) ORDER BY p.place, hint_key",
    }
    with psycopg.connect(libpq(url)) as connection:
        return {
            name: connection.execute(places + sql, {"domain": domain}).fetchall()
            for name, sql in queries.items()
        }


def libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def assert_whole(learnt: Learnt) -> None:
    """Nothing is half-written: each lesson has its miss, each miss its lessons, once."""
    texts = [row[0] for row in learnt["hints"]]
    assert len(texts) == len(set(texts))
    stored = [row for row in learnt["proposals"] if row[1] == "stored"]
    assert sorted(row[0] for row in stored) == sorted(texts)
    reflected = [row[0] for row in learnt["reflections"]]
    assert len(reflected) == len(set(reflected))
    assert {row[4] for row in learnt["proposals"]} <= set(reflected)
    assert all(row[5] for row in learnt["proposals"] if row[1] in {"stored", "duplicate"})


def settled(learnt: Learnt) -> set[int]:
    hits = {row[0] for row in learnt["trials"] if row[1] == "" and row[2] <= 10}
    return hits | {row[0] for row in learnt["reflections"]}


# Processes


def start(domain: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(RE2LLM), "learn", "--domain", domain, "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )


def count_trials(connection: psycopg.Connection[Any], domain: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM re2llm.hint_trial AS t JOIN re2llm.domain AS d "
        "ON d.id = t.domain_id WHERE d.name = %s",
        [domain],
    ).fetchone()
    return row[0] if row else 0


def stop_after(
    learner: subprocess.Popen[str], url: str, domain: str, trials: int, sign: int
) -> tuple[str, str]:
    """Send a signal as soon as a learner has added so many trials."""
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        before = count_trials(connection, domain)
        deadline = time.monotonic() + 90
        while count_trials(connection, domain) < before + trials and learner.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    learner.send_signal(sign)
    return learner.communicate(timeout=60)


@pytest.fixture(scope="module")
async def reference(services: Services, url: str) -> Learnt:
    """What an uninterrupted learner knows in the end."""
    original = services.settings
    services.settings = original.model_copy(update=PANEL)
    try:
        await learn(services, await prepare(services, "reference"))
    finally:
        services.settings = original
    return knowledge(url, "reference")


# One learner


async def test_a_fresh_database_learns_the_same(
    services: Services, adjust: Change, url: str, domain: str, reference: Learnt
) -> None:
    adjust(**PANEL)
    counts, budget, stopped = await learn(services, await prepare(services, domain))
    learnt = knowledge(url, domain)
    assert learnt == reference
    assert_whole(learnt)
    assert not stopped
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    assert counts["sessions"] == len(SESSIONS)
    assert counts["missed"] == len(learnt["reflections"])
    assert counts["proposed"] == len(learnt["proposals"])
    assert counts["stored"] == len(learnt["hints"]) >= 3
    assert budget.calls >= len(learnt["trials"]) + 3 * len(learnt["reflections"])


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_the_calls_never_exceed_the_budget_and_a_later_run_goes_on(
    services: Services,
    adjust: Change,
    url: str,
    domain: str,
    reference: Learnt,
    concurrency: int,
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    calls = 0
    for allowed in (1, 2, 7, 30):
        _, budget, stopped = await learn(
            services, domain, Budget(max_calls=allowed), concurrency=concurrency
        )
        assert stopped
        assert budget.calls == allowed
        calls += allowed
        learnt = knowledge(url, domain)
        assert_whole(learnt)
        assert 0 < len(learnt["trials"]) <= calls
    _, _, stopped = await learn(services, domain, concurrency=concurrency)
    assert not stopped
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    if concurrency == 1:
        assert learnt == reference
    # Nothing is left to do: no call is made.
    counts, budget, _ = await learn(services, domain)
    assert (counts["sessions"], budget.calls) == (0, 0)


async def test_tokens_are_a_budget_too(
    services: Services, adjust: Change, script: Callable[..., Any], domain: str
) -> None:
    from re2llm.llm.offline import OfflineRanker

    class Counting(OfflineRanker):
        """The offline model, which says that each answer cost a hundred tokens."""

        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            usage = {"input_tokens": 90, "output_tokens": 10, "total_tokens": 100}
            message = AIMessage(result.generations[0].message.text, usage_metadata=usage)
            result.generations[0].message = message
            return result

    services.register_model("counting", Counting())
    adjust(**PANEL, model="counting")
    await prepare(services, domain)
    _, budget, stopped = await learn(services, domain, Budget(max_tokens=950))
    assert stopped
    assert (budget.tokens, budget.calls) == (1000, 10)


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_it_stops_at_enough_hints(
    services: Services, adjust: Change, url: str, domain: str, concurrency: int
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    await learn(services, domain, max_hints=2, concurrency=concurrency)
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    # A session's lessons are stored together, and each worker ends its own.
    assert 2 <= len(learnt["hints"]) <= 2 + 4 * concurrency
    assert len(settled(learnt)) < len(SESSIONS)
    counts, _, _ = await learn(services, domain, max_hints=2)
    assert counts["sessions"] == 0


async def test_workers_of_one_process_share_the_sessions(
    services: Services, adjust: Change, url: str, domain: str
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    counts, _, _ = await learn(services, domain, concurrency=8)
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert counts["sessions"] == len(SESSIONS)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))


async def test_learners_side_by_side_lose_and_double_nothing(
    services: Services, adjust: Change, url: str, domain: str
) -> None:
    adjust(**PANEL)
    await prepare(services, domain)
    await asyncio.gather(*(learn(services, domain) for _ in range(4)))
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))


async def test_a_model_that_is_down_ends_it_with_a_clear_error(
    services: Services, adjust: Change, script: Callable[..., Any], url: str, domain: str
) -> None:
    def down(_: object) -> str:
        raise ConnectionError

    name, _ = script(down)
    adjust(**PANEL, model=name)
    await prepare(services, domain)
    with pytest.raises(ExceptionGroup) as caught:
        await learn(services, domain)
    assert f"{name} gave no answer" in str(caught.value.exceptions[0])
    learnt = knowledge(url, domain)
    assert not any(learnt.values())


# The command


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["learn", *arguments])


@pytest.fixture
def loaded(domain: str, services: Services, adjust: Change) -> str:
    """A domain of one's own, loaded by the test that asks for it; small panels."""
    adjust(**PANEL)
    return domain


@pytest.fixture
async def classroom(loaded: str, services: Services) -> str:
    return await prepare(services, loaded)


def test_a_spent_budget_is_no_failure(classroom: str, url: str) -> None:
    done = command("--domain", classroom, "--max-llm-calls", "20", "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["llm_calls"] == 20
    assert 0 < document["sessions_left"] < len(SESSIONS)
    assert "stopped" in done.stderr
    assert "--max-llm-calls" in done.stderr
    assert_whole(knowledge(url, classroom))
    again = command("--domain", classroom, "--max-hints", "1")
    assert again.exit_code == 0, again.stderr
    assert classroom in again.stdout
    assert "stopped" not in again.stderr


def test_only_the_sessions_of_a_file(classroom: str, url: str, tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    some = SESSIONS[3:6]
    file.write_text(
        "".join(
            json.dumps({"history": list(s.history), "target": s.target, "candidates": None}) + "\n"
            for s in some
        )
    )
    done = command("--domain", classroom, "--sessions", str(file), "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["sessions"] == 3
    learnt = knowledge(url, classroom)
    assert {row[0] for row in learnt["reflections"]} <= {4, 5, 6}
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"history": ["m-1931"], "target": "alien-1979"}) + "\n")
    refused = command("--domain", classroom, "--sessions", str(other))
    assert refused.exit_code == 1
    assert "--sessions" in refused.stderr


def test_bad_input_is_told(classroom: str) -> None:
    for arguments, word in (
        (["--domain", "no-such-domain"], "no-such-domain"),
        (["--domain", classroom, "--sessions", "/no/such/file.jsonl"], "file.jsonl"),
    ):
        done = command(*arguments)
        assert done.exit_code == 1
        assert done.stderr.startswith("error: ")
        assert word in done.stderr
    for option in ("--max-hints", "--max-llm-calls", "--concurrency"):
        assert command("--domain", classroom, option, "0").exit_code == 2


def test_harmful_hints_are_retired_at_the_end(classroom: str, services: Services, url: str) -> None:
    """Learning adds trials of known hints; what they show beyond doubt has consequences."""
    harmful = "Prefer what nobody knows."

    async def plant() -> None:
        from re2llm.knowledge.hints import hint_key
        from re2llm.knowledge.training_sessions import session_keys
        from re2llm.knowledge.trials import Trial, store_trial
        from re2llm.llm.ranking_prompt import RANKING_PROMPT_VERSION
        from re2llm.nodes.services import close_shared_services, shared_services

        own = await shared_services()
        async with own.engine.begin() as connection:
            found = await find_domain(connection, classroom)
            more = simulate_sessions(12, seed=9)
            vector = own.embedder.encode([harmful])[0]
            await add_hint(connection, found.id, harmful, vector, provenance={})
        await load_domain(own, classroom, sample_items(), [lambda _: more])
        async with own.engine.begin() as connection:
            for key in await session_keys(connection, found.id):
                for hint, rank in ((None, 1), (harmful, 30)):
                    trial = Trial(
                        key, hint_key(hint), "offline", RANKING_PROMPT_VERSION, rank, "{}"
                    )
                    await store_trial(connection, found.id, trial)
        await close_shared_services()

    asyncio.run(plant())
    done = command("--domain", classroom, "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["retired"], document["llm_calls"]) == (1, 0)
    [hint] = knowledge(url, classroom)["hints"]
    assert hint[:4] == (harmful, "retired", len(SESSIONS) + 36, -1)


# Stops and crashes


def test_ctrl_c_keeps_what_was_learnt(classroom: str, url: str, reference: Learnt) -> None:
    learner = start(classroom, "--concurrency", "1")
    out, error = stop_after(learner, url, classroom, 12, signal.SIGINT)
    assert learner.returncode == 130, (out, error)
    assert "Traceback" not in error
    assert "Run the command again" in error
    learnt = knowledge(url, classroom)
    assert_whole(learnt)
    assert 12 <= len(learnt["trials"]) < len(reference["trials"])
    done = command("--domain", classroom, "--concurrency", "1", "--max-hints", "99")
    assert done.exit_code == 0, done.stderr
    assert knowledge(url, classroom) == reference


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_at_ten_points_changes_nothing(classroom: str, url: str, reference: Learnt) -> None:
    chance = random.Random(0)
    most = len(reference["trials"]) // 11
    for _ in range(10):
        learner = start(classroom, "--concurrency", "1", "--max-hints", "99")
        stop_after(learner, url, classroom, chance.randint(0, most), signal.SIGKILL)
        assert learner.returncode == -signal.SIGKILL
        assert_whole(knowledge(url, classroom))
    done = command("--domain", classroom, "--concurrency", "1", "--max-hints", "99")
    assert done.exit_code == 0, done.stderr
    assert knowledge(url, classroom) == reference


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_eight_processes_on_one_database(classroom: str, url: str) -> None:
    learners = [start(classroom, "--concurrency", "2", "--max-hints", "99") for _ in range(8)]
    outcomes = [learner.communicate(timeout=600) for learner in learners]
    for learner, (_, error) in zip(learners, outcomes, strict=True):
        assert learner.returncode == 0, error
    documents = [json.loads(out) for out, _ in outcomes]
    learnt = knowledge(url, classroom)
    assert_whole(learnt)
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    assert sum(document["llm_calls"] for document in documents) >= len(learnt["trials"])
    with psycopg.connect(libpq(url)) as connection:
        deadlocks = connection.execute("SELECT sum(deadlocks) FROM pg_stat_database").fetchone()
    assert deadlocks == (0,)
