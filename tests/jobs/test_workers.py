"""Jobs on real workers: killed, of another version, paused, without their database."""

import asyncio
import json
import os
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fault_server import FaultServer
from learnt import assert_whole, forget, knowledge, libpq
from pydantic import SecretStr
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.control import cancel_job, pause, resume
from re2llm.jobs.queue.submit import submit
from re2llm.operations.learning.learn import learn
from re2llm.operations.training.train import train
from re2llm.runtime.context import Context
from workers import Workers, model_env, pieces, row

RULES: dict[str, dict[str, Any]] = {
    "paper": {"verify_rule": "paper"},
    "transfer": {"verify_rule": "transfer", "verify_random": 10, "verify_near": 4},
}
Load = Callable[..., Any]
Change = Callable[..., None]


async def undisturbed(url: str, domain: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what one learner in one process knows in the end; the domain forgets it again."""
    await learn(Context(domain=domain), max_hints=1000, concurrency=1)
    known = knowledge(url, domain)
    assert known["hints"]
    forget(url, domain)
    return known


async def submit_learning(domain: str) -> str:
    made = await submit(Context(domain=domain), "learn", {"max_hints": 1000, "concurrency": 1})
    return made.id


@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["killed", pytest.param("stopped", marks=pytest.mark.slow)])
async def test_a_worker_takes_over_from_one_that_is_gone(
    adjust: Change, loaded: Load, workers: Workers, url: str, way: str
) -> None:
    adjust(**RULES["paper"])
    domain = await loaded(3)
    expected = await undisturbed(url, domain)
    job = await submit_learning(domain)
    first = workers.start()
    workers.until(lambda connection: pieces(connection, job, "SUCCESS") >= 2)
    if way == "killed":
        workers.strike(first)
    else:
        assert "Traceback" not in workers.stop(first)
    second = workers.start()
    ended = workers.until_state(job, "done", "failed", "stopped")
    assert ended["state"] == "done", ended
    assert knowledge(url, domain) == expected
    said = workers.stop(second)
    assert "is gone; " in said
    assert ended["result"]["sessions_left"] == 0
    assert ended["result"]["llm_calls"] == ended["calls"] > 0
    with psycopg.connect(libpq(url)) as connection:
        # Neither DBOS nor the job's row keeps more than keys and counts.
        assert ended["arguments"]["keys"] is None
        assert pieces(connection, job, "SUCCESS") == ended["pieces"]


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_worker_of_another_version_refuses_in_one_line(
    loaded: Load, workers: Workers, url: str
) -> None:
    domain = await loaded(2)
    job = await submit_learning(domain)
    try:
        with psycopg.connect(libpq(url), autocommit=True) as connection:
            mine = row(connection, job)["version"]
            connection.execute("UPDATE re2llm.job SET version = '9.9/0099/x' WHERE id = %s", [job])
            worker = workers.popen("worker")
            output, errors = worker.communicate(timeout=200)
            assert (worker.returncode, output) == (1, "")
            [line] = errors.strip().splitlines()
            assert line.startswith("error: version: ")
            assert mine in line
            assert "9.9/0099/x" in line
        await pause(Context(), job)
        await resume(Context(), job)  # moves it to this version
        with psycopg.connect(libpq(url)) as connection:
            assert row(connection, job)["version"] == mine
    finally:
        await cancel_job(Context(), job)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_jobs_are_paused_resumed_stopped_by_their_budget_retried_and_cancelled(
    loaded: Load, workers: Workers, model: FaultServer, url: str, tmp_path: Path
) -> None:
    domain = await loaded(6)
    sessions = tmp_path / "test.jsonl"
    write_sessions(sessions, viewers=8)
    model.delay = 0.5
    workers.env |= model_env(model.url)
    options = ("--sessions", str(sessions), "--policies", "none", "--baselines", "popularity")
    job = workers.submit("evaluate", "--domain", domain, *options, "--max-llm-calls", "12")
    one, other = workers.start(2), workers.start(2)
    workers.until(lambda connection: row(connection, job)["calls"] >= 3)
    await pause(Context(), job)
    paused = workers.until_state(job, "paused")
    workers.until(lambda connection: not pieces(connection, job, "PENDING"))
    asked = len(model.asked)
    assert 3 <= asked < 12
    workers.run("jobs", "resume", job)
    stopped = workers.until_state(job, "stopped")
    assert stopped["attempt"] == paused["attempt"] + 1
    assert stopped["calls"] == len(model.asked) == 12  # over two workers, and over both attempts
    assert "budget is spent" in stopped["reason"]
    assert stopped["arguments"]["sessions"]
    workers.run("jobs", "retry", job, "--max-llm-calls", "1000")
    done = workers.until_state(job, "done", "failed", "stopped")
    assert done["state"] == "done", done
    every = done["result"]["sessions"]
    assert done["calls"] == len(model.asked) == every  # each question was paid for once
    assert done["result"]["n"] == every
    assert "sessions" not in done["arguments"]  # they are people's
    refused = workers.popen("jobs", "cancel", job)
    _, errors = refused.communicate(timeout=200)
    assert refused.returncode == 1
    assert f"{job} is done" in errors
    for worker in (one, other):
        workers.stop(worker)


def write_sessions(file: Path, viewers: int) -> None:
    found = simulate_sessions(viewers, seed=9)
    lines = [json.dumps({"history": list(s.history), "target": s.target}) for s in found]
    file.write_text("\n".join(lines))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rule", ["paper", "transfer"])
async def test_four_workers_killed_at_ten_points_learn_what_one_learner_does(
    adjust: Change, loaded: Load, workers: Workers, url: str, rule: str
) -> None:
    adjust(**RULES[rule])
    domain = await loaded(12)
    expected = await undisturbed(url, domain)
    rng = random.Random(rule)
    job = await submit_learning(domain)
    # The first kills strike processes that submit: a job is there as a whole, or not at all.
    for _ in range(4):
        submitter = workers.popen("learn", "--domain", domain, "--detach", "--json")
        await asyncio.sleep(rng.uniform(2, 8))
        with suppress(ProcessLookupError):
            os.killpg(submitter.pid, signal.SIGKILL)
        submitter.communicate()
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        submitted = connection.execute(
            "SELECT j.id, w.status FROM re2llm.job AS j "
            "JOIN re2llm.domain AS d ON d.id = domain_id "
            "LEFT JOIN re2llm_jobs.workflow_status AS w ON w.workflow_uuid = j.id || '-1' "
            "WHERE d.name = %s",
            [domain],
        ).fetchall()
    assert {status for _, status in submitted} == {"ENQUEUED"}
    for other, _ in submitted:
        if other != job:
            workers.run("jobs", "cancel", other)
    for _ in range(4):
        workers.start()
    for _ in range(9):
        with psycopg.connect(libpq(url), autocommit=True) as connection:
            before = pieces(connection, job, "SUCCESS")
        workers.until(
            lambda connection, before=before: (
                pieces(connection, job, "SUCCESS") > before
                or row(connection, job)["state"] != "running"
            )
        )
        await asyncio.sleep(rng.uniform(0, 0.5))
        workers.strike(rng.choice(workers.running))
        workers.start()
    ended = workers.until_state(job, "done", "failed", "stopped")
    assert ended["state"] == "done", ended
    learnt = knowledge(url, domain)
    assert_whole(learnt)
    for table in expected:
        assert learnt[table] == expected[table], table


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_kill_loses_no_cell_and_pays_none_twice_but_those_in_flight(
    adjust: Change, loaded: Load, workers: Workers, model: FaultServer, url: str
) -> None:
    domain = await loaded(6, hints=3)
    settings = {"train_panel": 12, "structured": "json_schema"}
    adjust(model="openai:fault", base_url=model.url, api_key=SecretStr("sk-test"), **settings)
    await train(Context(domain=domain), force=True)
    expected = release_and_cells(url, domain)
    forget_training(url, domain)
    model.asked.clear()
    model.delay = 0.3
    workers.env |= model_env(model.url)
    job = workers.submit("train", "--domain", domain, "--force")
    for _ in range(2):
        workers.start(concurrency=2)
    rng = random.Random(3)
    kills = 6
    for _ in range(kills):
        asked = len(model.asked)
        workers.until(
            lambda connection, asked=asked: (
                len(model.asked) > asked + 2 or row(connection, job)["state"] != "running"
            )
        )
        await asyncio.sleep(rng.uniform(0, 0.3))
        workers.strike(rng.choice(workers.running))
        workers.start(concurrency=2)
    ended = workers.until_state(job, "done", "failed", "stopped")
    assert ended["state"] == "done", ended
    found = release_and_cells(url, domain)
    assert found == expected
    times = Counter(asked.text for asked in model.asked)
    twice = sum(count - 1 for count in times.values())
    assert twice <= kills * 2
    assert model.most_at_once <= 4 + 2  # those of a killed worker may still be answered


def release_and_cells(url: str, domain: str) -> tuple[Any, Any]:
    with psycopg.connect(libpq(url)) as connection:
        releases = connection.execute(
            "SELECT encode(weights, 'hex'), hint_ids, status FROM re2llm.policy_release "
            "JOIN re2llm.domain AS d ON d.id = domain_id WHERE name = %s",
            [domain],
        ).fetchall()
        assert len(releases) == 1
        return releases, knowledge(url, domain)["trials"]


def forget_training(url: str, domain: str) -> None:
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        for table in ("hint_trial", "policy_release"):
            connection.execute(
                f"DELETE FROM re2llm.{table} WHERE domain_id = "
                "(SELECT id FROM re2llm.domain WHERE name = %s)",
                [domain],
            )
        connection.execute("DELETE FROM re2llm.llm_call WHERE model = 'openai:fault'")


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_database_that_restarts_in_the_middle_loses_nothing(
    adjust: Change, loaded: Load, url: str
) -> None:
    adjust(**RULES["paper"])
    domain = await loaded(5)
    expected = await undisturbed(url, domain)
    home = Path(tempfile.mkdtemp(prefix="re2llm-"))  # short, as a socket's path has to be
    mark = home / "postgres" / "postmaster.pid"
    own = f"postgresql://postgres:@/postgres?host={mark.parent}"
    workers = Workers(own, {"RE2LLM_HOME": str(home)})
    films = home / "films"
    films.mkdir()
    write_films(films, viewers=5)
    try:
        workers.run("load", "jsonl", str(films), "--domain", domain)
        options = ("--max-hints", "1000", "--concurrency", "1")
        job = workers.submit("learn", "--domain", domain, *options)
        workers.start()
        for done in (2, 5):
            workers.until(lambda connection, done=done: pieces(connection, job, "SUCCESS") >= done)
            # As a server that is restarted, and then as one that loses its power.
            sign = signal.SIGINT if done == 2 else signal.SIGQUIT
            os.kill(int(mark.read_text().split()[0]), sign)
        ended = workers.until_state(job, "done", "failed", "stopped")
        assert ended["state"] == "done", ended
        learnt = knowledge(own, domain)
        assert_whole(learnt)
        # The keys of the sessions differ, so what is drawn by them does too: the misses do not.
        places = {row[0] for row in expected["trials"]}
        assert {row[0] for row in learnt["trials"]} == places
        workers.stop(workers.running[0])
    finally:
        workers.close()
        if mark.exists():
            with suppress(ProcessLookupError):
                os.kill(int(mark.read_text().split()[0]), signal.SIGINT)
        shutil.rmtree(home, ignore_errors=True)


def write_films(folder: Path, viewers: int) -> None:
    items = [{"id": i.id, "title": i.title, **i.attributes} for i in sample_items()]
    sessions = [
        {"history": list(s.history), "target": s.target} for s in simulate_sessions(viewers, seed=1)
    ]
    for name, lines in (("items", items), ("sessions", sessions)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))


_IMPATIENT = """
import asyncio, time
from re2llm.cli import app
from re2llm.errors import InternalError
from re2llm.jobs.kinds.evaluate import Evaluate
from re2llm.jobs.worker import in_flight, worker

async def finish(self, work):
    while not in_flight.leaving.is_set():
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            pass  # as what is in the middle of something may do
    await asyncio.sleep(1)
    try:
        await asyncio.to_thread(time.sleep, 0)
    except RuntimeError as error:
        raise InternalError("re2llm", "An unexpected RuntimeError.", "") from error

Evaluate.finish = finish
worker._DRAIN = 1.0
app()
"""


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_worker_that_stops_in_a_last_step_leaves_it_to_others(
    loaded: Load, workers: Workers
) -> None:
    domain = await loaded(3)
    sessions = [one for one in simulate_sessions(2, seed=8) if one.target]
    given = {"sessions": sessions, "policies": ["none"], "baselines": ["popularity"]}
    job = (await submit(Context(domain=domain), "evaluate", given)).id
    first = workers.python(_IMPATIENT, "worker")
    workers.until(lambda connection: row(connection, job)["pieces"] is not None)
    await asyncio.sleep(0.5)  # until it is in its last step
    said = workers.stop(first)
    assert "leaves 1 step to other workers" in said
    assert "Traceback" not in said
    with psycopg.connect(libpq(workers.url)) as connection:
        assert row(connection, job)["state"] == "running"
    second = workers.start()
    ended = workers.until_state(job, "done", "failed", "stopped")
    assert ended["state"] == "done", ended
    workers.stop(second)


_WATCHED = """
import asyncio, sys
from pathlib import Path
from re2llm.cli import app
from re2llm.jobs.kinds.base import Finished
from re2llm.jobs.kinds.tidy import Tidy

log = Path(sys.argv.pop())

def say(word):
    with log.open("a") as file:
        file.write(word)

async def finish(self, work):
    say("+")
    await asyncio.sleep(0.3)
    say("-")
    if log.read_text().count("-") == 1:
        raise ZeroDivisionError("as a bug does")
    return Finished({})

Tidy.finish = finish
app()
"""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("most", [1, 2])
async def test_a_worker_does_no_more_last_steps_at_once_than_pieces(
    loaded: Load, workers: Workers, tmp_path: Path, most: int
) -> None:
    context = Context(domain=await loaded(2))
    jobs = [(await submit(context, "tidy", {})).id for _ in range(5)]
    log = tmp_path / "log"
    worker = workers.python(_WATCHED, "worker", "--concurrency", str(most), str(log))
    ended = [workers.until_state(job, "done", "failed") for job in jobs]
    assert Counter(one["state"] for one in ended) == {"done": 4, "failed": 1}
    assert [one["reason"] for one in ended if one["reason"]] == [
        "An unexpected ZeroDivisionError; the worker's log has its trace."
    ]
    assert "as a bug does" in workers.stop(worker)
    at_once = list(accumulate(1 if word == "+" else -1 for word in log.read_text()))
    assert max(at_once) == most
    assert len(at_once) == 2 * len(jobs)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_database_that_is_read_only_for_a_moment_fails_no_job(
    adjust: Change, loaded: Load, workers: Workers, url: str
) -> None:
    adjust(**RULES["paper"])
    job = await submit_learning(await loaded(3))
    worker = workers.start(concurrency=2)
    workers.until(lambda connection: pieces(connection, job, "SUCCESS") >= 1)
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        try:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
            await asyncio.sleep(1.5)
        finally:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
    ended = workers.until_state(job, "done", "failed", "stopped")
    assert ended["state"] == "done", ended
    workers.stop(worker)
