"""The autopilot among the releases: off, held with what to do, resumed, and turned off."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from console import Browser, form_to, parsed
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.autopilot.switch import run_once, turn_on
from re2llm.knowledge.autopilot.autopilots import set_autopilot_state, store_decision
from re2llm.knowledge.domains import find_domain
from re2llm.llm import prices
from re2llm.operations.autopilot.manage import show_autopilot
from re2llm.operations.loading.load import load_domain
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

ON = "/console/releases:autopilot-on"


@pytest_asyncio.fixture
async def school(services: Services, domain: str) -> str:
    viewers = simulate_sessions(1, seed=1)
    await load_domain(services, domain, sample_items(), [lambda _: viewers])
    return domain


async def test_a_hold_is_told_and_ended_by_a_person(
    browser: Browser, stranger: Browser, school: str, services: Services, make_key: Any
) -> None:
    context = Context(domain=school)
    page = await browser.get("/console/releases", domain=school)
    assert "re2llm autopilot on" in page.one("main").text
    await turn_on(context, AutopilotPlan(calls_per_day=1_234))
    await run_once(context)
    text = (await browser.get("/console/releases", domain=school)).one("main").text
    for part in ("Autopilot on", "0 calls of 1,234", "New misses: 0 of 50", "turned on"):
        assert part in " ".join(text.split()), text
    async with services.engine.begin() as connection:
        found = await find_domain(connection, school)
        await set_autopilot_state(connection, found.id, "held")
        words = "Live reward fell <script>alert(1)</script>."
        await store_decision(connection, found.id, "hold", "drift", words)
    page = await browser.get("/console/releases", domain=school)
    text = page.one("main").text
    for part in ("Held: Live reward fell <script>alert(1)</script>.", "What to do:"):
        assert part in text
    await stranger.sign_in(await make_key(school, may=("learn",), calls_per_day=3))
    limited = await stranger.get("/console/releases", domain=school)
    form = form_to(limited, "/console/releases:autopilot")
    assert ("change", "off") in form.fields  # it may not start what costs
    assert "`" not in text
    assert "re2llm autopilot resume" in [code.text for code in page.all("code")]
    answer = await browser.send(form_to(page, "/console/releases:autopilot"))
    assert answer.status_code == 303, answer.text
    page = await browser.get(answer.headers["location"])
    assert "The autopilot goes on." in page.one("main").text
    assert (await browser.send(form_to(page, "/console/releases:autopilot"))).status_code == 303
    assert (await show_autopilot(context)).state == "off"


@pytest.mark.long
async def test_it_is_turned_on_by_a_form_that_says_what_is_wrong_beside_each_field(
    browser: Browser, school: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prices, "call_cost", lambda *_: None)  # as of a model without a price
    page = await browser.get("/console/releases", domain=school)
    for typed, wrong in (
        ({}, {"usd_per_day": "no limit"}),
        (
            {"usd_per_day": "-1", "calls_per_day": "2.5", "batch": "", "hold": "x"},
            {
                "usd_per_day": "no amount",
                "calls_per_day": "whole",
                "batch": "no amount",
                "hold": "no amount",
            },
        ),
        ({"calls_per_day": "9" * 12}, {"calls_per_day": "out of range"}),
        ({"calls_per_day": "10", "batch": "0"}, {"batch": "out of range"}),
        ({"calls_per_day": "10", "hold": "0"}, {"hold": "out of range"}),
        ({"calls_per_day": "10", "steps": "5,50"}, {"steps": "do not end at 100"}),
        ({"calls_per_day": "10", "steps": "<b>"}, {"steps": "no list of numbers"}),
        ({"calls_per_day": "10", "cron": "at noon"}, {"cron": "at noon"}),
        ({"usd_per_day": "5/day"}, {"usd_per_day": "has no price"}),
    ):
        answer = await browser.send(form_to(page, ON), **typed)
        assert answer.status_code == 422, typed
        refused = parsed(answer.text)
        said = {
            one.attributes["id"].split("-")[1]: one.text
            for one in refused.all("span")
            if one.attributes.get("id", "").endswith("-wrong")
        }
        assert said.keys() == wrong.keys(), said
        for name, part in wrong.items():
            assert part in said[name], said
            assert "--" not in said[name]  # a form has no options
            field = refused.one(f"pilot-{name}")
            assert field.attributes["aria-describedby"] == f"pilot-{name}-wrong"
        first = [one for one in refused.all() if "autofocus" in one.attributes]
        assert [one.attributes["id"] for one in first] == [f"pilot-{next(iter(wrong))}"]
        assert dict(form_to(refused, ON).fields).items() >= typed.items()  # nothing is typed again
        assert (await show_autopilot(Context(domain=school))).state == "off"
    typed = {"calls_per_day": " 200/day ", "steps": "10, 100", "hold": "50"}
    answer = await browser.send(form_to(page, ON), **typed)
    assert answer.status_code == 303, answer.text
    page = await browser.get(answer.headers["location"])
    assert "The autopilot is on" in page.one("main").text
    plan = (await show_autopilot(Context(domain=school))).plan or {}
    assert (plan["calls_per_day"], plan["usd_per_day"], plan["batch"]) == (200, None, 50)
    assert (plan["canary"]["steps"], plan["canary"]["hold"]) == ([10, 100], 50)
    # The form holds the present plan, and leaves alone what it does not show.
    await turn_on(Context(domain=school), AutopilotPlan(calls_per_day=200, reference=700))
    form = form_to(await browser.get("/console/releases", domain=school), ON)
    assert dict(form.fields)["calls_per_day"] == "200"
    assert (await browser.send(form, calls_per_day="300")).status_code == 303
    plan = (await show_autopilot(Context(domain=school))).plan or {}
    assert (plan["calls_per_day"], plan["reference"]) == (300, 700)
