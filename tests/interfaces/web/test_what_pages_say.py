"""What pages say of a list's end, of commands, of long times, and of jobs that nothing takes."""

from __future__ import annotations

import datetime as dt
import re
from importlib import resources
from typing import Any

import pytest
from console import Browser
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.interfaces.web.rendering import environment
from re2llm.jobs.queue.liveness import Pulse
from re2llm.jobs.queue.submit import submit
from re2llm.knowledge.schema.jobs import JobRow
from re2llm.operations.hints.manage import add_hint
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text, update

OURS = re.compile(
    r"\{\{ *((?:\w+\.)*(?:said|detail|remedy|problem|reason|refused|leak|words|warning|note))"
    r"(?![\w.])([^}]*)\}\}"
)
"""Templates' own sentences, which may name a command in backticks."""
PLAIN = {"words", "picture.words", "reward.words"}
"""What was searched for, and the numbers of a picture."""
SPENT = """
    INSERT INTO re2llm.llm_call (key, command, purpose, model, method, outcome, requests,
        tokens_in, tokens_out, estimated, latency_ms, cost, created_at)
    SELECT 'x'::bytea, 'recommend', 'rank', 'm-year', '', 'ok', 1, 100, 10, false, 1, 0.25,
        now() - make_interval(days => n)
    FROM (SELECT 1 AS n UNION ALL SELECT generate_series(40, 239)) AS days
"""
"""Calls of yesterday and of 200 days, the last 40 days ago."""
JOBS = """
    INSERT INTO re2llm.job (id, domain_id, kind, arguments, version, state)
    SELECT d.name || n, d.id, 'verify', '{}', 'v', 'done' FROM re2llm.domain d,
    generate_series(1, 60) n WHERE d.name = :domain
"""


@pytest.fixture
async def things(load: Any, domain: str) -> str:
    await load(domain, sample_items(), simulate_sessions(12, seed=8))
    return domain


def test_every_sentence_of_ours_shows_commands_as_code() -> None:
    folder = resources.files("re2llm.interfaces.web") / "templates"
    found: dict[str, str] = {}
    for file in folder.iterdir():
        for name, filters in OURS.findall(file.read_text(encoding="utf-8")):
            if name not in PLAIN:
                found[f"{file.name}: {name}"] = filters.strip()
    assert len(found) > 15
    assert {name for name, filters in found.items() if not filters.startswith("| coded")} == set()


async def test_a_command_in_an_error_and_in_what_was_done_is_shown_as_code(
    browser: Browser, things: str
) -> None:
    refused = await browser.get("/console/hints/999999", expect=404, domain=things)
    done = await browser.get("/console/jobs", domain=things, done="submitted")
    for page, command in ((refused, "re2llm hints list"), (done, "re2llm worker")):
        assert "`" not in page.one("main").text
        assert command in [one.text for one in page.all("code")]


async def test_a_page_after_the_last_says_so_and_leads_to_the_last(
    browser: Browser, things: str, services: Services
) -> None:
    hint = (await add_hint(Context(domain=things), "Prefer films that many chose.")).hint_id
    async with services.engine.begin() as connection:
        await connection.execute(text(JOBS), {"domain": things})
    last = {"/hints": 1, f"/hints/{hint}": 1, "/jobs": 2, "/catalogue": 8}
    for path, number in last.items():
        page = await browser.get(f"/console{path}", domain=things, page=99)
        said = page.one("main").text
        assert f"There is no page 99 any more: the last one is page {number}." in said, path
        for wrong in ("There is no hint", "There are no jobs", "has not been tried", "Page 99"):
            assert wrong not in said, path
        before = page.one("previous")
        assert f"page={number}" in before.attributes["href"].split("&"), path
        there = await browser.get(f"/console{path}", domain=things, page=number)
        assert "any more" not in there.one("main").text


async def test_the_costs_of_a_long_time_are_shown_by_month(
    browser: Browser, services: Services
) -> None:
    async with services.engine.begin() as connection:
        await connection.execute(text(SPENT))
    year = await by_caption(browser, days="365")
    months, models = year["By month"], year["By model"]
    assert "By day" not in year
    named = [row.all("td")[0].text for row in months.all("tr")[1:]]
    assert named == sorted(set(named), reverse=True)
    assert 7 <= len(named) <= 13
    assert all(re.fullmatch(r"\d{4}-\d\d", name) for name in named)
    calls = [
        sum(int(row.all("td")[place].text.replace(",", "")) for row in one.all("tr")[1:])
        for one, place in ((months, 2), (models, 1))
    ]
    assert calls[0] == calls[1] >= 201
    month = await by_caption(browser, days="30")
    assert "By month" not in month
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    days = {row.all("td")[0].text for row in month["By day"].all("tr")[1:]}
    assert days & {f"{yesterday}", f"{yesterday + dt.timedelta(days=1)}"}


async def by_caption(browser: Browser, **query: str) -> dict[str, Any]:
    """Return the tables of costs that have a caption: those of budgets have none."""
    tables = (await browser.get("/console/costs", **query)).all("table")
    return {one.all("caption")[0].text: one for one in tables if one.all("caption")}


@pytest.mark.parametrize(
    ("pieces", "said"), [(None, "in line, or being planned"), (0, "under way")]
)
async def test_a_job_waits_for_a_worker_only_while_none_is_running(
    browser: Browser,
    things: str,
    services: Services,
    pieces: int | None,
    said: str,
) -> None:
    made = await submit(Context(domain=things), "tidy", {})
    async with services.engine.begin() as connection:
        planned = update(JobRow).where(JobRow.id == made.id).values(pieces=pieces)
        await connection.execute(planned)

    async def shown() -> list[str]:
        page = await browser.get("/console/jobs", domain=things)
        (row,) = [one for one in page.all("tr") if made.id in one.text]
        job = await browser.get(f"/console/jobs/{made.id}", domain=things)
        return [row.text, job.one("job").text]

    for text_ in await shown():
        assert "waiting for a worker" in text_.lower()
        assert said not in text_
    worker = Pulse(services.engine, made.id)
    assert await worker.beat()
    try:
        for text_ in await shown():
            assert "waiting" not in text_.lower()
            assert said in text_
    finally:
        await worker.stop()


def test_a_backtick_that_is_alone_stays() -> None:
    coded: Any = environment().filters["coded"]
    assert str(coded("a ` b <i>")) == "a ` b &lt;i&gt;"
    assert str(coded("run `x <y>` now")) == "run <code>x &lt;y&gt;</code> now"
