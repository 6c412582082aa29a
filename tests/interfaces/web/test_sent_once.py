"""A form that its page sends twice, as by a double click, is done once and answered alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from console import Browser, Form, form_to, forms, parsed
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.control import job, jobs
from re2llm.jobs.schedules.schedules import list_schedules
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.served import active_release_number
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.releases.manage import activate_release
from re2llm.operations.releases.rollouts import show_canary, start_canary
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import two_releases

TWICE = "The form was sent twice; this was done once."
AGAIN = {
    "/console/sign-out",
    "/console/hints:add",
    "/console/catalogue:upload",
    "/console/try",
    "/console/try/feedback",
    "/console/releases/2/evaluate",
}
"""Where the same once more does nothing more, or says so by itself."""


@pytest.fixture
async def shop(load: Any, domain: str, services: Services) -> str:
    await load(domain, list(sample_items()), simulate_sessions(3, seed=1))
    await two_releases(services, domain)
    return domain


async def twice(
    browser: Browser, form: Form, button: tuple[str, str] | None, *, at_once: bool, **fields: Any
) -> list[httpx.Response]:
    if at_once:
        sent = (browser.send(form, button, **fields) for _ in range(2))
        return list(await asyncio.gather(*sent))
    return [await browser.send(form, button, **fields) for _ in range(2)]


def place(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].replace("&again=1", "")


CLICKS: dict[str, tuple[str, str, tuple[str, str] | None, dict[str, Any]]] = {
    "a new text": ("/hints", "/hints:try", None, {"text": "Prefer what is new.", "sessions": 2}),
    "a stored hint": ("/hints/1", "/hints/1/try", None, {"sessions": 2}),
    "a job": ("/jobs", "/jobs:submit", None, {"kind": "verify"}),
    "a schedule": ("/jobs", "/jobs:submit", None, {"kind": "train", "cron": "0 3 1 1 *"}),
    "a rollout": ("/releases/2", "/releases/2/canary", None, {}),
    "a new version": ("/hints/1", "/hints/1/edit", None, {"text": "Prefer what is newer."}),
    "an approval": ("/hints/1", "/hints:change", ("change", "retire"), {}),
    "an autopilot": ("/releases", "/releases:autopilot-on", None, {"calls_per_day": "100"}),
}


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("click", CLICKS)
async def test_a_double_click_is_done_once(
    browser: Browser, shop: str, rows: Callable[[], dict[str, int]], click: str, *, at_once: bool
) -> None:
    page, action, button, fields = CLICKS[click]
    form = form_to(await browser.get(f"/console{page}", domain=shop), f"/console{action}")
    before = rows()
    first, second = await twice(browser, form, button, at_once=at_once, **fields)
    assert place(first) == place(second)
    told = [parsed((await browser.http.get(a.headers["location"])).text) for a in (first, second)]
    assert sorted(TWICE in page.one("main").text for page in told) == [False, True]
    after = rows()
    made = {name: count - before[name] for name, count in after.items() if count > before[name]}
    assert max(made.get(name, 0) for name in ("job", "hint", "rollout", "idempotent_answer")) == 1
    assert len(await jobs(Context(domain=shop), domain=shop)) <= 1
    assert len([one for one in await list_schedules(Context()) if one.domain == shop]) <= 1


async def test_a_double_click_on_roll_back_rolls_back(
    browser: Browser, shop: str, services: Services
) -> None:
    await activate_release(Context(domain=shop), 2, force=True)
    page = await browser.get("/console/releases", domain=shop)
    form = form_to(page, "/console/releases:rollback")
    for answer in await twice(browser, form, None, at_once=False):
        told = await browser.get(answer.headers["location"])
        assert "The release before is active again." in told.one("main").text
    async with services.engine.connect() as connection:
        found = await find_domain(connection, shop)
        assert await active_release_number(connection, found.id) == 1


@pytest.mark.parametrize("ended", ["stop", "promote"])
async def test_a_double_click_ends_a_rollout(browser: Browser, shop: str, ended: str) -> None:
    await start_canary(Context(), 2, domain=shop)
    page = await browser.get("/console/releases/2", domain=shop)
    form = form_to(page, f"/console/releases:{ended}-canary")
    first, second = await twice(browser, form, None, at_once=True)
    assert place(first) == place(second)
    assert (await show_canary(Context(), domain=shop)).state.startswith(ended)


async def test_another_page_another_value_and_what_was_refused_are_done(
    browser: Browser, shop: str
) -> None:
    async def form() -> Form:
        return form_to(await browser.get("/console/jobs", domain=shop), "/console/jobs:submit")

    one = await form()
    assert (await browser.send(one, kind="train", cron="never")).status_code == 422
    assert (await browser.send(one, kind="train", cron="never")).status_code == 422
    places = {place(await browser.send(each, kind="verify")) for each in (one, await form())}
    places.add(place(await browser.send(one, kind="verify", max_llm_calls=7)))
    assert len(places) == 3
    assert len(await jobs(Context(domain=shop), domain=shop)) == 3


async def test_a_part_that_a_script_fetches_keeps_the_forms_of_its_page(
    browser: Browser, shop: str
) -> None:
    page = await browser.get("/console/jobs", domain=shop)
    where = place(await browser.send(form_to(page, "/console/jobs:submit"), kind="verify"))
    page = await browser.get(where)
    (form,) = [one for one in forms(page) if one.action.endswith("/change")]
    value = dict(form.fields)["once"]
    assert page.one("main").attributes["hx-headers"] == f'{{"x-once": "{value}"}}'
    part = await browser.http.get(where, headers={"x-once": value})
    assert dict(forms(parsed(part.text))[-1].fields)["once"] == value
    assert dict(forms(await browser.get(where))[-1].fields)["once"] != value
    wrong = await browser.http.get(where, headers={"x-once": '"><script>'})
    assert "<script>'" not in wrong.text
    for _ in range(2):
        assert (await browser.send(form, ("change", "pause"))).status_code == 303
    name = where.partition("?")[0].rpartition("/")[2]
    assert (await job(Context(), name)).job.state == "paused"


async def test_every_form_is_done_once_or_may_be_sent_again(browser: Browser, shop: str) -> None:
    await add_hint(Context(domain=shop), "Prefer what is new.")
    without: set[str] = set()
    seen = 0
    for path in ("", "/hints", "/hints/1", "/jobs", "/catalogue", "/releases", "/releases/2"):
        for form in forms(await browser.get(f"/console{path}", domain=shop)):
            if form.method == "post":
                seen += 1
                without |= set() if "once" in dict(form.fields) else {form.action}
    assert seen >= 12
    assert without <= AGAIN
