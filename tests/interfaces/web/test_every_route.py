"""Sign-in, forms and tenancy, over every route that there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from console import Browser
from console_routes import ANYWHERE, FILES, OPEN, Victim, every_route, filled, posted
from re2llm.interfaces.web.browsers import form_token
from re2llm.jobs.queue.control import job
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.schedules.schedules import add_schedule, list_schedules
from re2llm.operations.hints.manage import add_hint, list_hints
from re2llm.operations.recommending.recommend import recommend
from re2llm.records import Item, Session
from re2llm.runtime.context import Context

TITLE = "Quinquereme"
ROUTES = every_route()
FORMS = [path for method, path in ROUTES if method == "POST"]


@pytest_asyncio.fixture
async def victim(load: Any, domain: str) -> Victim:
    items = [Item(f"secret-{n}", f"{TITLE} {n}", {}) for n in range(8)]
    ids = tuple(item.id for item in items)
    await load(domain, items, [Session(ids[:2], ids[2])])
    context = Context(domain=domain)
    hint = (await add_hint(context, "Prefer what is zymurgical.")).hint_id
    made = await recommend(context, [ids[0]])
    submitted = await submit(context, "verify", {})
    plan = await add_schedule(context, "verify", "0 3 1 1 *")
    assert hint is not None
    assert made.recommendation_id is not None
    return Victim(domain, hint, ids[0], submitted.id, made.recommendation_id, plan.name)


def token_of(browser: Browser) -> str:
    """Return the token that the browser's own pages hold."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    return form_token({"type": "http", "headers": [(b"cookie", cookies.encode())]})


def test_what_is_posted_to_each_form_is_known() -> None:
    none = Victim("", 1, "", "", "", "")
    assert set(posted(none, "")) == set(FORMS)


async def test_no_route_but_the_sign_in_answers_a_stranger(
    stranger: Browser, victim: Victim
) -> None:
    for method, path in ROUTES:
        answer = await stranger.http.request(method, filled(path, victim))
        if path in OPEN:
            assert answer.status_code in {200, 415}, path
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/console/sign-in"), path
            scripted = {"hx-request": "true"}
            part = await stranger.http.request(method, filled(path, victim), headers=scripted)
            assert part.status_code == 401, path  # a script would follow a 303, and lose the header
            assert part.headers["hx-redirect"] == answer.headers["location"]
            assert "location" not in part.headers
        assert TITLE not in answer.text


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_without_the_right_token_is_refused(
    browser: Browser, address: str, victim: Victim, path: str, rows: Callable[[], dict[str, int]]
) -> None:
    await browser.get("/console/hints", domain=victim.domain)
    sent = posted(victim, victim.domain)[path]
    where = filled(path, victim)
    good = token_of(browser)
    async with Browser(address) as other:
        await other.get("/console/hints")
        foreign = token_of(other)
    before = rows()
    for token in ({}, {"token": ""}, {"token": "0" * 64}, {"token": foreign}):
        answer = await browser.http.post(where, data={**sent, **token}, files=FILES.get(path))
        assert answer.status_code == 403, token
        assert "another website" in answer.text
    for headers in (
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": address},
    ):
        answer = await browser.http.post(
            where, data={**sent, "token": good}, headers=headers, files=FILES.get(path)
        )
        assert answer.status_code in {401, 403, 303}, headers
        if answer.status_code == 303:  # a foreign origin makes even this machine a stranger
            assert answer.headers["location"].startswith("/console/sign-in")
    for media in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        answer = await browser.http.post(
            where, content=f"token={good}", headers={"content-type": media}
        )
        refused = 422 if path in FILES and media.startswith("multipart") else 415
        assert answer.status_code == refused
    answer = await browser.http.post(where, data={"token": good, "x": "x" * 300_000})
    assert answer.status_code == (415 if path in FILES else 413)
    browser.http.cookies.clear()
    answer = await browser.http.post(where, data={**sent, "token": good}, files=FILES.get(path))
    assert answer.status_code == 403
    assert rows() == before
    await unchanged(victim)


@pytest.mark.long
async def test_what_is_anothers_is_answered_like_what_does_not_exist(
    stranger: Browser, victim: Victim, make_key: Any, rows: Callable[[], dict[str, int]]
) -> None:
    await stranger.sign_in(await make_key(may=("learn", "load")))
    await stranger.get("/console/hints")
    token = token_of(stranger)
    before = rows()
    strip = re.compile(r"(?:test-\w+|nowhere|[0-9a-f]{32})")
    seen = 0
    for method, path in ROUTES:
        if path in OPEN | ANYWHERE:
            continue
        answers = []
        for domain in (victim.domain, "nowhere"):
            data = {**posted(victim, domain)[path], "token": token} if method == "POST" else None
            answers.append(
                await stranger.http.request(
                    method,
                    filled(path, victim),
                    params={"domain": domain},
                    data=data,
                    files=FILES.get(path) if data else None,
                )
            )
        hers, none = answers
        assert hers.status_code == none.status_code, path
        assert hers.status_code >= 400, path
        assert strip.sub("", hers.text) == strip.sub("", none.text), path
        assert TITLE not in hers.text
        seen += 1
    assert seen >= 20
    # Without a catalogue in the address, a page is about one of the key's own.
    for method, path in ROUTES:
        if method == "GET" and path not in OPEN:
            answer = await stranger.http.get(filled(path, victim))
            assert TITLE not in answer.text, path
            assert victim.domain not in answer.text.replace(filled(path, victim), ""), path
    assert rows() == before
    await unchanged(victim)


async def unchanged(victim: Victim) -> None:
    context = Context(domain=victim.domain)
    (hint,) = (await list_hints(context)).hints
    assert hint.status == "active"
    assert (await job(context, victim.job)).job.state == "running"
    assert victim.schedule in {one.name for one in await list_schedules(context)}


async def test_a_key_changes_what_all_share_only_with_the_right(
    stranger: Browser, victim: Victim, make_key: Any, rows: Callable[[], dict[str, int]]
) -> None:
    await stranger.sign_in(await make_key(victim.domain))
    page = await stranger.get("/console/hints", domain=victim.domain)
    assert [form.attributes["method"] for form in page.all("form")].count("post") <= 2
    token = token_of(stranger)
    before = rows()
    for path in FORMS:
        if path in OPEN | ANYWHERE | ALLOWED:
            continue
        sent = {**posted(victim, victim.domain)[path], "token": token}
        answer = await stranger.http.post(filled(path, victim), data=sent, files=FILES.get(path))
        assert answer.status_code == 403, path
        right = "load" if path.startswith("/console/catalogue") else "learn"
        assert f"--may {right}" in answer.text
    assert rows() == before
    await unchanged(victim)


ALLOWED = {
    "/console/try",
    "/console/try/feedback",
}
"""What any key may do, as in the API."""
