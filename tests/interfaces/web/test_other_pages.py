"""Releases, jobs, the catalogue and costs, over HTTP."""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import Any, get_args

import pytest
from console import Browser, form_to, forms, parsed
from re2llm.cli import app
from re2llm.errors import InputError
from re2llm.interfaces.web.labels import LABELS, in_labels
from re2llm.jobs.queue.control import job
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.schedules.schedules import list_schedules
from re2llm.knowledge.access.allowances import KeyClaim, claim_call
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.jobs.jobs import FilelessKind
from re2llm.knowledge.releases import Release, store_release
from re2llm.knowledge.served import active_release_number
from re2llm.operations.accounts.costs import costs
from re2llm.operations.catalogue.withdraw import withdraw_items
from re2llm.operations.hints.manage import add_hint
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text
from typer.testing import CliRunner

LEDGER = """
    INSERT INTO re2llm.llm_call (key, command, purpose, model, method, outcome, requests,
        tokens_in, tokens_out, estimated, latency_ms, cost, api_key_id)
    SELECT 'x'::bytea, 'recommend', 'rank', :model, '', 'ok', 1, 100, 10, false, 1, 0.25, :key
    FROM generate_series(1, :many)
"""


@pytest.fixture
async def things(load: Any, domain: str) -> str:
    items = [Item(str(n), f"Thing {n:04}", {"maker": "Acme"}) for n in range(1_200)]
    await load(domain, items, [Session(("0", "1"), "2"), Session(("1",), "2")])
    return domain


@pytest.mark.long
async def test_the_catalogue_is_paged_searched_and_shown(browser: Browser, things: str) -> None:
    seen: list[str] = []
    for number in range(1, 25):
        page = await browser.get("/console/catalogue", domain=things, page=number)
        seen += [
            cell.all("a")[0].text
            for cell in page.all("td")
            if cell.attributes.get("class") == "text"
        ]
    assert len(seen) == len(set(seen)) == 1_200
    assert set(seen[:3]) == {"Thing 0000", "Thing 0001", "Thing 0002"}
    page = await browser.get("/console/catalogue", domain=things, words="Thing 0777")
    assert page.all("td")[0].all("a")[0].text == "Thing 0777"
    page = await browser.get(page.all("td")[0].all("a")[0].attributes["href"])
    assert "Acme" in page.text
    page = await browser.get("/console/catalogue/2", domain=things)
    assert "Thing 0001" in page.all("table")[0].text
    await browser.get("/console/catalogue/none", expect=404, domain=things)


async def test_withdrawn_items_are_marked(browser: Browser, load: Any, domain: str) -> None:
    await load(domain, [Item(f"i{n}", f"Thing {n}") for n in range(3)])
    await withdraw_items(Context(), ["i1"], domain=domain)
    rows = (await browser.get("/console/catalogue", domain=domain)).all("tr")[1:]
    assert ["withdrawn" in row.text for row in rows] == [False, True, False]
    found = (await browser.get("/console/catalogue", domain=domain, words="Thing 1")).all("tr")[1:]
    assert {row.all("code")[0].text: "withdrawn" in row.text for row in found}["i1"]
    assert sum("withdrawn" in row.text for row in found) == 1
    tried = await browser.get("/console/try", domain=domain, history="i0", candidates="i1")
    chips = [one.text for one in tried.all("li") if "\N{MULTIPLICATION SIGN}" in one.text]
    assert ["withdrawn" in text for text in chips] == [False, True]
    assert "Withdrawn" in (await browser.get("/console/catalogue/i1", domain=domain)).text
    assert "Withdrawn" not in (await browser.get("/console/catalogue/i2", domain=domain)).text


async def test_an_id_with_any_character_has_a_page(
    browser: Browser, load: Any, domain: str
) -> None:
    ids = ["a/b", "a?b#c", "50%", "../x", "id:7", "é ü", "a&b=c", "<b>", "%2e%2e"]
    await load(domain, [Item(id_, f"Odd {n}", {}) for n, id_ in enumerate(ids)])
    page = await browser.get("/console/catalogue", domain=domain)
    links = [one for one in page.all("a") if one.text.startswith("Odd ")]
    assert len(links) == len(ids)
    for link in links:
        if "/../" in link.attributes["href"] or "%252e" in link.attributes["href"]:
            continue  # the gate refuses what looks like the folder above
        shown = await browser.get(link.attributes["href"])
        assert shown.all("h1")[0].text == link.text


async def test_a_release_is_activated_and_rolled_back(
    browser: Browser, things: str, services: Services
) -> None:
    options = await resolve_context(Context(domain=things))
    page = await browser.get("/console/releases", domain=things)
    assert "There is no release yet" in page.text
    async with services.engine.begin() as connection:
        found = await find_domain(connection, things)
        for gain in (0.05, 0.02):
            await store_release(connection, found.id, _release(gain, options))
    page = await browser.get("/console/releases", domain=things)
    rows = [row.text for row in page.all("tr")[1:]]
    assert "+0.020" in rows[0]
    assert "+0.050" in rows[1]
    page = await browser.get("/console/releases/1", domain=things)
    assert page.all("path")[1].attributes["d"] == "M0.0 166.0 L600.0 14.0"
    assert "+0.050" in page.text
    answer = await browser.send(form_to(page, "/console/releases/1/activate"))
    assert answer.status_code == 303, answer.text
    page = await browser.get("/console/releases/2", domain=things)
    form = form_to(page, "/console/releases/2/activate")
    answer = await browser.send(form)
    assert answer.status_code == 422
    assert "gained +0.0200" in answer.text
    wrong = " ".join(parsed(answer.text).one("main").text.split())
    (tick,) = [one for one in page.all("label") if one.attributes["for"] == "force"]
    assert f"With \u201c{tick.text}\u201d, it is activated anyway." in wrong
    assert (await browser.send(form, force="true")).status_code == 303
    assert await _active(services, things) == 2
    mine, another = [
        form_to(await browser.get("/console/releases", domain=things), "/console/releases:rollback")
        for _ in range(2)
    ]
    answer = await browser.send(mine)
    assert "active again" in (await browser.get(answer.headers["location"])).text
    assert await _active(services, things) == 1
    answer = await browser.send(another)  # whose page shows the release that is gone
    assert answer.status_code == 422
    assert "Release 2 is not active: release 1 is. Nothing was changed." in answer.text
    assert await _active(services, things) == 1
    page = await browser.get("/console/releases/1", domain=things)
    answer = await browser.send(form_to(page, "/console/releases/1/evaluate"))
    assert answer.status_code == 422  # nothing is logged
    assert "feedback" in answer.text


def test_errors_name_fields_as_pages_label_them() -> None:
    folder = resources.files("re2llm.interfaces.web") / "templates"
    whole = "".join(file.read_text("utf-8") for file in folder.iterdir())
    assert {name: f">{label}<" in whole for name, label in LABELS.items()} == dict.fromkeys(
        LABELS, True
    )
    assert in_labels("Raise `max_cost` or `--x`, not `other`.") == (
        "Raise \u201cMost cost\u201d or `--x`, not `other`."
    )


async def _active(services: Services, domain: str) -> int | None:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        return await active_release_number(connection, found.id)


def _release(gain: float, options: Any) -> Release:
    from re2llm.llm.embedding.encoder import ENCODER_ID
    from re2llm.policies.networks import ContentConfig, ContentPolicy
    from re2llm.policies.weights import dump_policy

    weights, shape = dump_policy(ContentPolicy(ContentConfig(state_size=8, embedding_size=384)))
    point = {"training_reward": None, "entropy": 0.1, "cells": 1}
    return Release(
        recipe="content",
        weights=weights,
        encoder=ENCODER_ID,
        prompt_version=options.prompt_version,
        model=options.model,
        hint_set="x",
        hint_ids=[1],
        config={"policy": shape},
        metrics={
            "gain": gain,
            "static_gain": 0.01,
            "curve": [
                {**point, "update": 0, "validation_reward": 0.0},
                {**point, "update": 9, "validation_reward": gain},
            ],
        },
    )


@pytest.mark.long
async def test_jobs_are_submitted_paused_resumed_and_cancelled(
    browser: Browser, things: str
) -> None:
    await add_hint(Context(domain=things), "Prefer what is new.")
    page = await browser.get("/console/jobs", domain=things)
    assert "There are no jobs" in page.text
    answer = await browser.send(
        form_to(page, "/console/jobs:submit"), kind="verify", max_llm_calls=500
    )
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    page = await browser.get(where)
    assert "0 of at most 500" in page.one("job").text
    for change, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        page = await browser.get(where)
        form = next(form for form in forms(page) if form.action.endswith("/change"))
        assert ("change", change) in form.buttons
        answer = await browser.send(form, ("change", change))
        assert answer.status_code == 303, answer.text
        page = await browser.get(answer.headers["location"])
        assert state in page.all("h1")[0].text
    answer = await browser.send(form, ("change", "pause"))
    assert answer.status_code == 422
    assert "is cancelled" in answer.text


async def test_a_failed_job_says_why_and_is_retried_with_new_limits(
    browser: Browser, things: str, services: Services
) -> None:
    await add_hint(Context(domain=things), "Prefer what is new.")
    made = await submit(Context(domain=things), "verify", {}, max_llm_calls=3)
    async with services.engine.begin() as connection:
        await connection.execute(
            text("UPDATE re2llm.job SET state = 'stopped', reason = :why WHERE id = :id"),
            {"id": made.id, "why": "The limit of 3 calls is reached. Raise `max_llm_calls`."},
        )
    page = await browser.get(f"/console/jobs/{made.id}", domain=things)
    assert "max_llm_calls" in page.text
    form = next(form for form in forms(page) if form.action.endswith("/change"))
    assert dict(form.fields)["max_llm_calls"] == "3"
    answer = await browser.send(form, ("change", "retry"), max_llm_calls=9)
    assert answer.status_code == 303, answer.text
    found = (await job(Context(), made.id)).job
    assert (found.state, found.max_llm_calls, found.attempt) == ("running", 9, 2)


async def test_a_schedule_is_stored_and_removed(browser: Browser, things: str) -> None:
    page = await browser.get("/console/jobs", domain=things)
    form = form_to(page, "/console/jobs:submit")
    answer = await browser.send(form, cron="not cron")
    assert answer.status_code == 422
    inactive = {"inactive": "true"}
    answer = await browser.send(
        form, kind="train", cron="0 3 1 1 *", zone="Europe/Berlin", **inactive
    )
    page = await browser.get(answer.headers["location"])
    assert "train, without activating the release" in page.text
    assert f"train-{things}" in page.text
    answer = await browser.send(form_to(page, "/console/jobs:unschedule"))
    assert answer.status_code == 303
    assert things not in {one.domain for one in await list_schedules(Context())}


@pytest.mark.parametrize("kind", get_args(FilelessKind))
async def test_a_job_that_makes_no_release_may_be_left_ticked_as_inactive(
    browser: Browser, things: str, kind: str
) -> None:
    form = form_to(await browser.get("/console/jobs", domain=things), "/console/jobs:submit")
    answer = await browser.send(form, kind=kind, inactive="true", cron="0 3 1 1 *")
    assert answer.status_code == 303, answer.text
    [made] = [one for one in await list_schedules(Context()) if one.domain == things]
    assert (made.kind, made.arguments.get("activate")) == (kind, False if kind == "train" else None)


async def test_jobs_are_paged_in_the_database(
    browser: Browser, things: str, services: Services
) -> None:
    async with services.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO re2llm.job (id, domain_id, kind, arguments, version, state) "
                "SELECT d.name || n, d.id, 'verify', '{}', 'v', 'done' FROM re2llm.domain d, "
                "generate_series(1, 1001) n WHERE d.name = :domain"
            ),
            {"domain": things},
        )
    page = await browser.get("/console/jobs", domain=things, page=21)
    assert len(page.all("tr")) == 2
    assert "1,001 in all" in page.text


async def test_a_key_sees_its_own_costs_alone(
    browser: Browser, stranger: Browser, make_key: Any, services: Services
) -> None:
    key, other = await make_key(), await make_key()
    async with services.engine.begin() as connection:
        for one, model, many in ((key, "m-mine", 3), (other, "m-other", 4)):
            given = {"key": one.split("_")[1], "model": model, "many": many}
            await connection.execute(text(LEDGER), given)
    await stranger.sign_in(key)
    page = await stranger.get("/console/costs")
    assert "m-mine" in page.text
    assert "m-other" not in page.text
    assert [card.text for card in page.all("li") if "Cost" in card.text] != []
    assert "0.7500" in page.one("main").text
    everything = await browser.get("/console/costs", days="7")
    assert "m-mine" in everything.text
    assert "m-other" in everything.text


@pytest.mark.long
async def test_budgets_and_costs_by_key_are_shown_to_whom_they_belong(
    browser: Browser, stranger: Browser, make_key: Any, services: Services, films: str
) -> None:
    key = await make_key(owner="first-shop", calls_per_day=10, usd_per_day=4.0)
    other = await make_key(owner="second-shop", calls_per_day=7)
    first, second = (one.split("_")[1] for one in (key, other))
    async with services.engine.begin() as connection:
        for one, many in ((first, 3), (second, 2)):
            await connection.execute(text(LEDGER), {"key": one, "model": "m", "many": many})
            for _ in range(many):
                claimed = await claim_call(connection, one, Grants(usd_per_day=4.0), 0.25)
                assert isinstance(claimed, KeyClaim)
    await submit(Context(domain=films), "verify", {}, max_llm_calls=77)

    def budget_of(page: Any, id_: str) -> list[str]:
        (row,) = [row for row in page.all("tr") if row.all("th") and id_ in row.all("th")[0].text]
        return [" ".join(cell.text.split()) for cell in row.all("td")]

    def spent_by(page: Any) -> dict[str, str]:
        (table,) = [one for one in page.all("table") if "By key" in one.text]
        return {row.all("td")[0].text: row.all("td")[-1].text for row in table.all("tr")[1:]}

    page = await browser.get("/console/costs", domain=films)
    assert budget_of(page, first) == ["3 of 10", "7", "0.7500 of 4.00", "3.25"]
    assert budget_of(page, second) == ["2 of 7", "5", "0.5000, no limit", ""]
    assert spent_by(page)[f"first-shop ({first})"] == "0.7500"
    assert spent_by(page)[f"second-shop ({second})"] == "0.5000"
    assert "0 of 77" in page.text
    await stranger.sign_in(key)
    page = await stranger.get("/console/costs", domain=films)
    assert budget_of(page, first) == ["3 of 10", "7", "0.7500 of 4.00", "3.25"]
    assert spent_by(page) == {f"first-shop ({first})": "0.7500"}
    assert second not in page.text
    assert "second-shop" not in page.text
    found = await costs(Context(), by=["key"])
    assert {(row.key, row.owner, row.cost) for row in found.rows} >= {
        (first, "first-shop", 0.75),
        (second, "second-shop", 0.5),
    }
    assert all(row.day == row.model == row.command == "" for row in found.rows)
    with pytest.raises(InputError, match="Choose among day, command, model, key"):
        await costs(Context(), by=["owner"])  # pyright: ignore[reportArgumentType]
    mixed: Any = ["day", "foo"]
    with pytest.raises(InputError, match=r"^by: Costs have no 'foo'\."):
        await costs(Context(), by=mixed)
    words = ["costs", "--by", "key", "--by", "model"]
    shown = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert shown.exit_code == 0, shown.output
    assert f"first-shop ({first})" in " ".join(shown.output.split())


async def test_the_overview_counts(browser: Browser, things: str) -> None:
    page = await browser.get("/console", domain=things)
    cards = [card.text for card in page.all("li") if "Items" in card.text]
    assert cards == ["1,200Items"]
    await add_hint(Context(domain=things), "Prefer what is new.")
    page = await browser.get("/console", domain=things)
    counts = [card.text for card in page.all("li") if card.all("strong")]
    assert counts[1:] == ["2Training sessions", "1Hints", "0Releases", "0Recommendations"]
