"""From each page there is a way on: out of an error, and for a job that a limit has stopped."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from console import Browser, Element, form_to, forms, parsed
from re2llm.jobs.queue.control import job
from re2llm.jobs.queue.submit import submit
from re2llm.operations.hints.manage import add_hint
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

STOPPED = "UPDATE re2llm.job SET state = 'stopped', max_tokens = 9, max_cost = 2 WHERE id = :id"


@pytest.fixture
async def things(load: Any, domain: str) -> str:
    items = [Item(str(n), f"Thing {n}", {}) for n in range(8)]
    await load(domain, items, [Session(("0", "1"), "2")])
    return domain


def ways(page: Element) -> set[str]:
    """Return about which domains the pages are that an error's page leads to."""
    alert = [one for one in page.all() if one.attributes.get("role") == "alert"]
    assert alert[0].all("h1")
    links = [one.attributes["href"] for one in page.all("a") if "class" not in one.attributes]
    links = [link for link in links if link.startswith("/console")]
    assert len(links) > 5
    return {parse_qs(urlsplit(link).query).get("domain", [""])[0] for link in links}


async def test_an_error_leads_back_to_its_own_domain(browser: Browser, things: str) -> None:
    about = f"domain={things}"
    for path in ("nothing?", "hints/999999?", "hints?page=x&", "releases/7?", "jobs/x?"):
        answer = await browser.http.get(f"/console/{path}{about}")
        assert answer.status_code in {404, 422}
        assert ways(parsed(answer.text)) == {things}, path
    page = await browser.get("/console/hints", domain=things)
    add = form_to(page, "/console/hints:add")
    tried = form_to(page, "/console/hints:try")
    load = form_to(
        await browser.get("/console/catalogue", domain=things), "/console/catalogue:upload"
    )
    for form, changes, status in (
        (add, {"text": ""}, 422),
        (add, {"text": "x" * 9_000}, 422),
        (add, {"token": "0" * 64}, 403),
        (tried, {"sessions": 0}, 422),
    ):
        answer = await browser.send(form, **changes)
        assert answer.status_code == status
        assert ways(parsed(answer.text)) == {things}, changes
    for more, status in (({}, 422), ({"token": "0" * 64}, 403)):
        sent = {**dict(load.fields), **more}
        file = {"file": ("items.jsonl", b"")}
        answer = await browser.http.post(load.action, data=sent, files=file)
        assert (answer.status_code, ways(parsed(answer.text))) == (status, {things})


async def test_a_form_that_is_not_read_leads_back_to_its_page(
    browser: Browser, stranger: Browser, things: str, make_key: Any
) -> None:
    before = {"referer": f"{browser.http.base_url}/console/hints?domain={quote(things)}"}
    form = form_to(await browser.get("/console/hints", domain=things), "/console/hints:add")
    sent = {**dict(form.fields), "text": "x" * 300_000}
    answer = await browser.http.post(form.action, data=sent, headers=before)
    assert (answer.status_code, ways(parsed(answer.text))) == (413, {things})
    answer = await browser.http.post("/console/hints", data=sent, headers=before)
    assert (answer.status_code, ways(parsed(answer.text))) == (405, {things})
    assert "Nothing can be sent to this address." in answer.text
    answer = await browser.http.post(form.action, data=sent)
    assert (answer.status_code, ways(parsed(answer.text))) == (413, {""})
    await stranger.sign_in(await make_key(things, requests_per_minute=2))
    await stranger.get("/console/hints", domain=things)
    for headers, domain in ((before, things), ({}, "")):
        answer = await stranger.http.post(form.action, data=dict(form.fields), headers=headers)
        assert (answer.status_code, ways(parsed(answer.text))) == (429, {domain})


async def test_an_error_does_not_lead_to_a_domain_that_is_not_there(browser: Browser) -> None:
    for name in ("nowhere", "x" * 501, ""):
        page = await browser.get("/console/hints", expect=422, domain=name)
        assert ways(page) == {""}, name


async def test_an_address_may_end_with_a_slash(browser: Browser, films: str) -> None:
    for path in ("", "/hints", "/jobs", "/catalogue", "/sign-in"):
        for query in ("", f"?domain={films}&words=a%20%26b"):
            answer = await browser.http.get(f"/console{path}/{query}")
            assert answer.status_code == 307
            assert answer.headers["location"] == f"/console{path}{query}"
    for path in ("/nothing", "/é ü", "//evil.example/"):
        answer = await browser.http.get(f"/console{path}/")
        assert answer.headers["location"] == f"/console{quote(path.rstrip('/'))}"
        assert (await browser.http.get(answer.headers["location"])).status_code == 404


async def test_an_id_may_end_with_a_slash(browser: Browser, load: Any, domain: str) -> None:
    ids = ("https://shop.example/a/", "https://shop.example/a", "/", "b//", "ü /", "c/?d/")
    items = [Item(id_, f"Thing {n}", {}) for n, id_ in enumerate(ids)]
    await load(domain, items, [Session((ids[0], ids[1]), ids[2])])
    page = await browser.get("/console/catalogue", domain=domain)
    links = [one.attributes["href"] for one in page.all("a")]
    opened = {
        (await browser.get(link)).all("h1")[0].text
        for link in links
        if link.startswith(("/console/catalogue/", "/console/catalogue:item?"))
    }
    assert opened == {item.title for item in items}


async def test_each_limit_of_a_job_can_be_raised_kept_and_lifted(
    browser: Browser, things: str, services: Services
) -> None:
    await add_hint(Context(domain=things), "Prefer what is new.")
    made = await submit(Context(domain=things), "verify", {}, max_llm_calls=3)

    async def retried(**changes: Any) -> tuple[Any, Any, Any]:
        async with services.engine.begin() as connection:
            await connection.execute(text(STOPPED), {"id": made.id})
        page = await browser.get(f"/console/jobs/{made.id}", domain=things)
        form = next(form for form in forms(page) if form.action.endswith("/change"))
        assert {name for name, _ in form.fields} >= {"max_llm_calls", "max_tokens", "max_cost"}
        answer = await browser.send(form, ("change", "retry"), **changes)
        assert answer.status_code == 303, answer.text
        found = (await job(Context(), made.id)).job
        assert found.state == "running"
        return found.max_llm_calls, found.max_tokens, found.max_cost

    assert await retried() == (3, 9, 2)
    assert await retried(max_tokens=10, max_cost=" ") == (3, 10, None)
    assert await retried(max_llm_calls="", max_tokens="") == (None, None, 2)
    page = await browser.get(f"/console/jobs/{made.id}", domain=things)
    form = next(form for form in forms(page) if form.action.endswith("/change"))
    async with services.engine.begin() as connection:
        await connection.execute(text(STOPPED), {"id": made.id})
    answer = await browser.send(form, ("change", "retry"))
    assert answer.status_code == 303
    assert (await job(Context(), made.id)).job.max_tokens == 9, "a field left out changes nothing"
