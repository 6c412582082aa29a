"""`re2llm jobs` and `--detach`, as a person uses them; no worker runs."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.code_version import code_version
from re2llm.jobs.queue.liveness import Pulse
from re2llm.knowledge.schema.jobs import JobRow
from re2llm.operations.loading.load import load_domain
from re2llm.runtime.services import Services
from sqlalchemy import update
from typer.testing import CliRunner


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


async def good(*arguments: object) -> str:
    done = await asyncio.to_thread(command, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


async def refused(*arguments: object) -> str:
    done = await asyncio.to_thread(command, *arguments)
    assert done.exit_code == 1, done.output
    [line] = done.stderr.strip().splitlines()
    return line


async def of_version(services: Services, job: str, version: str) -> None:
    """Let a job be of this version of the code."""
    async with services.engine.begin() as connection:
        its = update(JobRow).where(JobRow.id == job)
        await connection.execute(its.values(version=version))


@pytest.fixture
async def school(services: Services, domain: str) -> str:
    sessions = simulate_sessions(2, seed=1)
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    return domain


@pytest.mark.long
async def test_a_detached_job_is_listed_shown_paused_and_cancelled(school: str) -> None:
    at = ("--domain", school)
    job = (await good("learn", *at, "--max-llm-calls", 50, "--detach")).strip()
    [listed] = json.loads(await good("jobs", "list", *at, "--state", "running", "--json"))
    assert (listed["id"], listed["done"], listed["max_llm_calls"]) == (job, 0, 50)
    assert job in await good("jobs", "list", *at)
    shown = json.loads(await good("jobs", "show", job, "--json"))
    assert shown["arguments"]["context"]["domain"] == school
    assert shown["state"] == "running"
    assert "version: " in await good("jobs", "show", job)
    assert "paused" in await good("jobs", "pause", job)
    assert "is paused" in await refused("jobs", "retry", job)
    assert json.loads(await good("jobs", "resume", job, "--json"))["attempt"] == 2
    assert "cancelled" in await good("jobs", "cancel", job)
    assert "no state" in await refused("jobs", "list", "--state", "asleep")
    assert "no job" in await refused("jobs", "show", "learn-none")
    heading, _, *rows = (await good("jobs", "list", *at)).splitlines()
    assert heading.split()[:3] == ["job", "domain", "state"]
    assert [row.split()[0] for row in rows] == [job]


@pytest.mark.long
async def test_a_job_that_no_worker_takes_says_so(school: str, services: Services) -> None:
    submit = ("learn", "--domain", school, "--max-llm-calls", 9, "--detach")
    told = await asyncio.to_thread(command, *submit)
    job = told.stdout.strip()
    shown = [("jobs", "show", job), ("jobs", "list", "--domain", school)]
    changed = [("jobs", "pause", job), ("jobs", "resume", job)]
    note = "No worker is running: `re2llm worker` starts one, which does the work."
    assert told.stderr.splitlines()[1:] == [note]
    pulse = Pulse(services.engine, school)
    await of_version(services, job, "0.1/0001")
    for words in (shown[0], shown[1], ("autopilot", "show", "--domain", school)):
        told = (await asyncio.to_thread(command, *words)).stderr
        assert "starts one" not in told
        assert ("running jobs are of 0.1/0001." in told) == (words in shown), words
    await of_version(services, job, code_version())
    for said in (note, ""):
        for words in [*shown, *changed]:
            told = await asyncio.to_thread(command, *words)
            assert told.stderr.strip() == ("" if "pause" in words else said), words
        document = json.loads(await good("jobs", "show", job, "--json"))
        assert document["note"] == said
        assert await pulse.beat()
    await pulse.stop()
    await good("jobs", "cancel", job)


@pytest.mark.long
async def test_an_autopilot_without_a_worker_says_so(school: str, services: Services) -> None:
    at = ("--domain", school)
    on = ("autopilot", "on", *at, "--budget-calls", 9)
    note = "No worker is running: `re2llm worker` starts one, which does the work."
    pulse = Pulse(services.engine, school)
    for said in (note, ""):
        for words in [on, ("autopilot", "show", *at), ("autopilot", "run-once", *at)]:
            told = await asyncio.to_thread(command, *words)
            assert (told.exit_code, told.stderr.strip()) == (0, said), words
            told = await asyncio.to_thread(command, *words, "--json")
            assert told.stderr == ""
        assert await pulse.beat()
    await pulse.stop()
    told = await asyncio.to_thread(command, "autopilot", "off", *at)
    assert told.stderr == ""


async def test_a_typing_error_in_a_domain_is_no_empty_list(school: str) -> None:
    assert "There are no jobs" in await good("jobs", "list", "--domain", school)
    assert "There is no domain" in await refused("jobs", "list", "--domain", f"{school}x")


@pytest.mark.long
async def test_what_a_job_has_not_is_refused_before_it_is_submitted(
    school: str, tmp_path: Path, adjust: Callable[..., None]
) -> None:
    at = ("--domain", school)
    file = tmp_path / "test.jsonl"
    file.write_text("{}\n")
    assert "--batch" in await refused("train", *at, "--batch", "--detach")
    evaluate = ("evaluate", *at, "--sessions", file, "--detach")
    assert "--report" in await refused(*evaluate, "--report", tmp_path / "x.html")
    assert "no history" in await refused(*evaluate)
    assert "recipe" in await refused("train", *at, "--recipe", "secret", "--detach")
    assert "0 active hints" in await refused("train", *at, "--detach")
    adjust(model="openai:without-a-price")
    assert "price" in await refused("learn", *at, "--max-cost", 1, "--detach")
    assert json.loads(await good("jobs", "list", *at, "--json")) == []


@pytest.mark.long
async def test_a_schedule_is_made_listed_and_removed(school: str) -> None:
    made = ("jobs", "schedule", "train", "--domain", school, "--cron")
    assert "five fields" in await refused(*made, "every night")
    shown = json.loads(await good(*made, "0 3 * * *", "--json"))
    other = ("0 4 * * *", "--name", f"{school}-4")
    told = await asyncio.to_thread(command, *made, *other)
    assert told.stderr == "A running `re2llm worker` submits it.\n"
    await good("jobs", "unschedule", other[-1])
    listed = json.loads(await good("jobs", "schedules", "--json"))
    assert shown["name"] in [one["name"] for one in listed]
    assert shown["name"] in await good("jobs", "schedules")
    removed = json.loads(await good("jobs", "unschedule", shown["name"], "--json"))
    assert removed == {"removed": shown["name"]}
    assert "no schedule" in await refused("jobs", "unschedule", shown["name"])


@pytest.mark.long
async def test_a_batch_tells_what_it_has_done(films: str, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    ids = [item.id for item in sample_items()[:4]]
    rows.write_text(json.dumps({"key": "a", "history": ids}) + "\nno JSON\n")
    batch = ("recommend", "--domain", films, "--requests", rows, "--out", out)
    done = await asyncio.to_thread(command, *batch)
    assert done.exit_code == 0, done.output
    assert "2 rows; 1 cannot be used" in done.stdout
    assert done.stderr.startswith("row 2: ")
    assert json.loads(await good(*batch, "--json"))["before"] == 2
    assert "nothing else" in await refused("recommend", "--requests", rows)
    assert "nothing else" in await refused(*batch, ids[0])
    assert "It is missing" in await refused("recommend", "--domain", films)
