"""Parts of pages that Chromium loads by itself: polls, live searches, and what they fail with."""

from __future__ import annotations

from typing import Any

import pytest
from learnt import libpq
from re2llm.jobs.queue.control import cancel_job
from re2llm.jobs.queue.submit import submit
from re2llm.operations.hints.manage import add_hint, list_hints
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text
from workers import Workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PROXY = "<html><body><center><h1>502 Bad Gateway</h1></center><hr>nginx</body></html>"
OWN = """<html><body><main id="main"><div class="panel wrong" role="alert">
<h1>Too Many Requests</h1><p>The limit is 3 requests a minute.</p></div></main></body></html>"""
FAILURES = {
    "a proxy without its server": (502, PROXY, "The server gave no page (502)."),
    "a proxy's own page": (200, PROXY, "The server gave no page (200)."),
    "a refusal": (429, OWN, "The limit is 3 requests a minute."),
    "no server": (0, "", "The server does not answer."),
}
"""What scripts are answered with, and what the page says then."""


async def fail(page: Any, status: int, body: str) -> None:
    """Answer what scripts of a page ask for with this, or not at all."""

    async def answer(route: Any) -> None:
        if "hx-request" not in route.request.headers:
            await route.continue_()
        elif status:
            await route.fulfill(status=status, content_type="text/html", body=body)
        else:
            await route.abort()

    await page.route("**/console/**", answer)


async def running_job(films: str) -> str:
    """Return a job that no worker takes."""
    context = Context(domain=films)
    if not (await list_hints(context)).hints:
        await add_hint(context, "Prefer films that many people chose.")
    return (await submit(context, "verify", {})).id


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_poll_that_fails_leaves_the_page_and_goes_on(
    chromium: Any, address: str, films: str, failure: str
) -> None:
    status, body, words = FAILURES[failure]
    made = await running_job(films)
    page = await chromium.new_page(base_url=address)
    await page.goto(f"/console/jobs/{made}?domain={films}")
    await fail(page, status, body)
    await page.get_by_role("alert").get_by_text(words).wait_for()
    assert await page.get_by_role("button", name="Pause").count() == 1
    assert made in await page.title()
    await page.unroute_all()
    await page.get_by_role("alert").wait_for(state="hidden")
    await cancel_job(Context(domain=films), made)
    await page.locator("h1", has_text="cancelled").wait_for()
    await page.close()


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_search_that_fails_loses_nothing_that_was_typed(
    chromium: Any, address: str, films: str, failure: str
) -> None:
    status, body, words = FAILURES[failure]
    page = await chromium.new_page(base_url=address)
    await page.goto(f"/console/hints?domain={films}")
    await page.locator("#text").fill("Prefer what I have typed for long.")
    await fail(page, status, body)
    await page.locator("#words").press_sequentially("films")
    await page.get_by_role("alert").get_by_text(words).wait_for()
    assert await page.locator("#text").input_value() == "Prefer what I have typed for long."
    assert await page.locator("#words").input_value() == "films"
    await page.unroute_all()
    await page.locator("#words").press_sequentially("x")
    await page.wait_for_url("**words=filmsx**")
    await page.get_by_role("alert").wait_for(state="hidden")
    await page.close()


async def test_a_poll_keeps_the_focus_and_what_is_selected(
    tab: Any, films: str, services: Services
) -> None:
    made = await running_job(films)
    for path, name in ((f"/jobs/{made}", "#cancel"), ("/jobs", f"#to-{made}")):
        await tab.goto(f"/console{path}?domain={films}")
        await tab.locator(name).focus()
        await tab.evaluate("getSelection().selectAllChildren(document.querySelector('h1, thead'))")
        selected = await tab.evaluate("getSelection().toString()")
        async with tab.expect_response(f"**{path}?**"):
            pass
        await tab.wait_for_timeout(200)
        assert await tab.evaluate("getSelection().toString()") == selected != ""
        async with services.engine.begin() as connection:
            calls = "UPDATE re2llm.job SET calls = calls + 1234 WHERE id = :id"
            await connection.execute(text(calls), {"id": made})
        await (
            tab.locator("#job, #list")
            .get_by_text("1,234")
            .or_(tab.locator("#job, #list").get_by_text("2,468"))
            .first.wait_for()
        )
        await tab.wait_for_timeout(200)
        assert await tab.evaluate("document.activeElement.id") == name[1:]
    await cancel_job(Context(domain=films), made)


async def test_a_job_is_watched_without_loading_the_page_again(tab: Any, films: str) -> None:
    context = Context(domain=films)
    if not (await list_hints(context)).hints:
        await add_hint(context, "Prefer films that many people chose.")
    await tab.goto("/console/jobs?domain=films")
    await tab.get_by_label("What").select_option("verify")
    await tab.get_by_role("button", name="Submit").click()
    await tab.get_by_role("button", name="Pause").wait_for()
    await tab.evaluate("window.kept = true")
    await cancel_job(context, tab.url.split("/")[-1].split("?")[0])
    await tab.locator("h1", has_text="cancelled").wait_for()
    assert await tab.evaluate("window.kept")


async def test_a_hint_is_tried_with_a_live_bar(tab: Any, films: str, url: str) -> None:
    added = await add_hint(Context(domain=films), "Prefer films of a genre from the history.")
    workers = Workers(url, {"RE2LLM_DATABASE_URL": libpq(url)})
    try:
        await tab.goto(f"/console/hints/{added.hint_id}?domain={films}")
        await tab.get_by_label("Training sessions").fill("12")
        await tab.get_by_role("button", name="Try it").click()
        await tab.get_by_text("Waiting for a worker").wait_for()
        await tab.evaluate("window.kept = true")
        workers.start()
        await tab.get_by_role("progressbar").wait_for(timeout=120_000)
        await tab.get_by_text("in NDCG@10").wait_for(timeout=120_000)
        assert await tab.evaluate("window.kept"), "the page was not loaded again"
        assert await tab.get_by_role("img", name="Gain").count() == 1
    finally:
        workers.close()


async def test_a_job_that_polls_leads_to_the_sign_in_once_the_session_has_ended(
    chromium: Any, address: str, films: str, make_key: Any, services: Services
) -> None:
    context = Context(domain=films)
    if not (await list_hints(context)).hints:
        await add_hint(context, "Prefer films that many people chose.")
    made = await submit(context, "verify", {})
    elsewhere = await chromium.new_context(
        base_url=address, extra_http_headers={"x-forwarded-for": "192.0.2.1"}
    )
    page = await elsewhere.new_page()
    await page.goto(f"/console/jobs/{made.id}?domain={films}")
    await page.get_by_label("API key").fill(await make_key(may=("learn",)))
    await page.get_by_role("button", name="Sign in").click()
    await page.locator("h1", has_text=made.id).wait_for()
    async with services.engine.begin() as connection:
        await connection.execute(text("DELETE FROM re2llm.console_session"))
    await page.wait_for_url("**/console/sign-in?next=*")
    await page.get_by_label("API key").wait_for()
    await elsewhere.close()


async def test_an_error_that_a_script_is_answered_with_is_shown(tab: Any, films: str) -> None:
    await tab.goto(f"/console/try?domain={films}&history=alien-1979")
    await tab.get_by_role("button", name="Rank").click()
    await tab.locator("#feedback button").first.wait_for()
    await tab.evaluate("document.querySelector('[name=recommendation]').value = 'nothing'")
    await tab.locator("#feedback button").first.click()
    await tab.get_by_role("alert").get_by_text("has no recommendation").wait_for()
    assert await tab.locator("main").count() == 1
