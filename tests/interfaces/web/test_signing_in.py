"""Who gets in, what the cookie is like, and what each page forbids the browser."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from console import Browser, form_to, forms, parsed
from re2llm.operations.accounts.keys import revoke_key
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

PAGE = "/console/hints"


async def test_this_machine_needs_no_key(browser: Browser) -> None:
    page = await browser.get(PAGE)
    assert "Sign out" not in page.text


async def test_another_machine_is_sent_to_the_sign_in_and_back(
    stranger: Browser, make_key: Any
) -> None:
    sent = await stranger.http.get(PAGE, params={"status": "active", "domain": "films"})
    assert sent.status_code == 303
    page = await stranger.http.get(sent.headers["location"])
    assert page.status_code == 200
    key = await make_key()
    form = forms(await stranger.get(sent.headers["location"]))[0]
    answer = await stranger.send(form, key=key)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PAGE}?status=active&domain=films"
    back = await stranger.get(answer.headers["location"])
    assert "shop" in back.text


async def test_the_cookie_is_new_hidden_lax_and_holds_no_key(
    stranger: Browser, make_key: Any, services: Services
) -> None:
    await stranger.get("/console/sign-in")
    before = stranger.http.cookies["re2llm_console_form"]
    assert "re2llm_console" not in stranger.http.cookies
    key = await make_key()
    answer = await stranger.sign_in(key)
    cookie = answer.headers["set-cookie"]
    assert re.search(r"; httponly", cookie, re.IGNORECASE)
    assert re.search(r"; samesite=lax", cookie, re.IGNORECASE)
    assert "Path=/console" in cookie
    after = stranger.http.cookies["re2llm_console"]
    assert after != before
    assert after not in key
    page = await stranger.http.get(PAGE)
    assert key not in page.text
    assert after not in page.text
    async with services.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT * FROM re2llm.console_session"))).all()
    assert rows
    assert all(after.encode() not in bytes(row.token_hash) for row in rows)


async def test_a_request_without_the_session_does_not_replace_it(
    address: str, stranger: Browser, make_key: Any
) -> None:
    """As when another website leads here: a browser may then send no cookie, but keeps new ones."""
    await stranger.sign_in(await make_key())
    proxied = {"x-forwarded-for": stranger.http.headers["x-forwarded-for"]}
    for path in ("/console/sign-in", PAGE, "/console/nothing"):
        async with Browser(address, **proxied) as other:
            bare = await other.http.get(path)
        assert "re2llm_console=" not in bare.headers.get("set-cookie", "")
        stranger.http.cookies.extract_cookies(bare)
    page = await stranger.get(PAGE)
    answer = await stranger.send(form_to(page, "/console/sign-out"))
    assert answer.headers["location"].startswith("/console/sign-in?done=signed-out")


async def test_the_cookie_is_sent_over_https_alone_where_https_is_used(
    stranger: Browser,
) -> None:
    answer = await stranger.http.get("/console/sign-in", headers={"x-forwarded-proto": "https"})
    assert "; Secure" in answer.headers["set-cookie"]


HOSTILE_COOKIES = {
    "quoted": 'x="' + '\\"' * 15_000 + '"',
    "our own": 're2llm_console="' + '\\"' * 15_000 + '"',
    "octal": 'x="' + "\\101" * 7_000 + '"',
    "many": "; ".join(f"x{n}=y" for n in range(4_000)),
    "nameless": ";" * 30_000,
}


@pytest.mark.parametrize("path", ["/console/sign-in", PAGE, "/healthz", "/v1/hints", "/docs"])
@pytest.mark.parametrize("cookie", HOSTILE_COOKIES.values(), ids=HOSTILE_COOKIES)
async def test_no_cookie_holds_the_server_up(stranger: Browser, path: str, cookie: str) -> None:
    began = time.perf_counter()
    answer = await stranger.http.get(path, headers={"cookie": cookie})
    assert answer.status_code < 500
    assert time.perf_counter() - began < 1.0


async def test_the_session_is_found_among_the_cookies_of_others(
    address: str, stranger: Browser, make_key: Any
) -> None:
    await stranger.sign_in(await make_key())
    mine = stranger.http.cookies["re2llm_console"]
    proxied = {"x-forwarded-for": stranger.http.headers["x-forwarded-for"]}
    for cookie, status in (
        (f'a="b\\"c";re2llm_console={mine} ; re2llm_consolex=1', 200),
        (f"re2llm_console=old; re2llm_console={mine}", 200),
        (f"xre2llm_console={mine}", 303),
        (f"x=re2llm_console={mine}", 303),
        (f"re2llm_console={mine}0", 303),
        (f're2llm_console="{mine}', 303),
    ):
        async with Browser(address, **proxied) as other:
            answer = await other.http.get(PAGE, headers={"cookie": cookie})
        assert answer.status_code == status, cookie


async def test_a_wrong_key_opens_nothing(stranger: Browser) -> None:
    answer = await stranger.sign_in("re2llm_000000000000_wrong")
    assert answer.status_code == 401
    assert "wrong or revoked" in answer.text
    assert (await stranger.http.get(PAGE)).status_code == 303


async def test_signing_out_ends_the_session_on_the_server(stranger: Browser, make_key: Any) -> None:
    await stranger.sign_in(await make_key())
    stolen = stranger.http.cookies["re2llm_console"]
    page = await stranger.get(PAGE)
    answer = await stranger.send(form_to(page, "/console/sign-out"))
    assert answer.status_code == 303
    stranger.http.cookies.set("re2llm_console", stolen, path="/console")
    assert (await stranger.http.get(PAGE)).status_code == 303


async def test_a_revoked_key_and_an_old_session_open_nothing(
    stranger: Browser, make_key: Any, services: Services
) -> None:
    key = await make_key()
    await stranger.sign_in(key)
    assert (await stranger.http.get(PAGE)).status_code == 200
    await revoke_key(Context(), key.split("_")[1])
    assert (await stranger.http.get(PAGE)).status_code == 303
    await stranger.sign_in(await make_key())
    assert (await stranger.http.get(PAGE)).status_code == 200
    async with services.engine.begin() as connection:
        await connection.execute(
            text("UPDATE re2llm.console_session SET expires_at = now() - interval '1 second'")
        )
    assert (await stranger.http.get(PAGE)).status_code == 303


async def test_a_form_that_ends_after_its_key_was_revoked_changes_nothing(
    stranger: Browser, make_key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("re2llm.interfaces.late_bodies.LATE", 0.0)
    key = await make_key(may=("learn",))
    await stranger.sign_in(key)
    form = form_to(await stranger.get(PAGE), "/console/hints:add")
    told = "Prefer films of thieves who were caught."
    whole = urlencode([*form.fields, ("text", told)]).encode()

    async def body() -> AsyncIterator[bytes]:
        yield whole[:-1]
        await asyncio.sleep(0.3)  # until the headers are checked
        await revoke_key(Context(), key.split("_")[1])
        yield whole[-1:]

    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await stranger.http.post(form.action, content=body(), headers=headers)
    assert answer.status_code == 303
    assert "/sign-in" in answer.headers["location"]
    await stranger.sign_in(await make_key())
    assert told not in (await stranger.http.get(PAGE)).text


@pytest.mark.parametrize(
    "place",
    [
        *("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"),
        *("/console@evil.example", "/consolex", "/v1/hints", "/console\r\nx: y", "/console\\..\\"),
    ],
)
async def test_the_sign_in_leads_to_no_other_place(
    stranger: Browser, make_key: Any, place: str
) -> None:
    page = await stranger.get("/console/sign-in", next=place)
    (form,) = forms(page)
    assert dict(form.fields)["next"] == "/console"
    answer = await stranger.send(form, key=await make_key(), next=place)
    assert answer.headers["location"] == "/console"


async def test_the_sign_in_asks_for_a_key_whatever_it_is_sent(
    stranger: Browser, make_key: Any
) -> None:
    history = [f"{'long-id':0>60}-{n}" for n in range(100)]
    sent = await stranger.http.get("/console/try", params={"history": history})
    assert sent.status_code == 303
    for place in (sent.headers["location"], f"/console/sign-in?next={'/console/x' * 2_000}"):
        (form,) = forms(await stranger.get(place))
        assert dict(form.fields)["next"] == "/console"
    wrong = await stranger.send(form, key="k" * 1_000, next="/console/" + "x" * 9_000)
    assert wrong.status_code == 401
    (form,) = forms(parsed(wrong.text))
    answer = await stranger.send(form, key=await make_key(), next="/console/" + "x" * 9_000)
    assert answer.headers["location"] == "/console"


async def test_the_sign_in_leads_back_to_the_page_of_a_form(
    stranger: Browser, make_key: Any, services: Services
) -> None:
    await stranger.sign_in(await make_key(may=("learn",)))
    form = form_to(await stranger.get(PAGE, domain="films"), "/console/hints:add")
    async with services.engine.begin() as connection:
        await connection.execute(text("DELETE FROM re2llm.console_session"))
    ours = stranger.http.base_url
    shown = (f"{PAGE}?domain=films&page=2", PAGE, "/console/catalogue/a%20b/?domain=films")
    # What answers a form there has no page of its own.
    bare = ("releases/1/evaluate", "releases:autopilot?domain=films", "try/feedback", "nothing")
    for page, place in (
        *((f"{ours}{path}", path) for path in shown),
        *((f"{ours}/console/{path}", "/console") for path in bare),
        ("https://evil.example/else", "/console"),
        ("https://[", "/console"),
    ):
        headers = {"referer": page}
        answer = await stranger.http.post(form.action, data=dict(form.fields), headers=headers)
        assert answer.status_code == 303
        (asked,) = forms(await stranger.get(answer.headers["location"]))
        assert dict(asked.fields)["next"] == place


@pytest.mark.parametrize("path", ["/console", PAGE, "/console/nothing", "/console/sign-in"])
async def test_every_page_has_the_strict_headers(browser: Browser, path: str) -> None:
    answer = await browser.http.get(path)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_an_unknown_page_and_a_wrong_method_are_pages(browser: Browser) -> None:
    nothing = await browser.get("/console/nothing", expect=404)
    assert "There is no such page." in nothing.one("main").text
    assert "openapi" not in nothing.text
    await browser.get("/console/static/nothing", expect=404)
    await browser.get("/console/hints/999999", expect=404)
    await browser.get("/console/hints", expect=422, domain="nowhere")
    await browser.get("/console/hints", expect=422, page="x")
    form = await browser.get("/console/hints:add", expect=405)  # as after a form that was refused
    assert "A form is sent to this address" in form.one("main").text
    assert "POST" not in form.one("main").text
    answer = await browser.http.post("/console/hints")
    assert answer.status_code == 405
    assert answer.headers["content-type"].startswith("text/html")


async def test_files_are_served_to_anyone_and_from_nowhere_else(stranger: Browser) -> None:
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for name in ("console.css", "console.js", "htmx.min.js", "icon.svg"):
        kind = kinds[name[name.rindex(".") :]]
        answer = await stranger.http.get(f"/console/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
    for path in ("/console/static/%2e%2e/hints", "/console/static/x", "/console/static//x"):
        assert (await stranger.http.get(path)).status_code == 404, path


async def test_a_limit_of_requests_counts_pages_and_sign_ins(
    stranger: Browser, make_key: Any, rows: Callable[[], dict[str, int]]
) -> None:
    key = await make_key(requests_per_minute=3)
    await stranger.sign_in(key)  # it counts too
    for _ in range(2):
        assert (await stranger.http.get(PAGE)).status_code == 200
    page = await stranger.get(PAGE, expect=429)
    assert "3 requests a minute" in page.text
    before = rows()["console_session"]
    assert (await stranger.sign_in(key)).status_code == 429
    assert rows()["console_session"] == before


async def test_a_catalogue_of_others_is_as_if_it_was_not_there(
    stranger: Browser, make_key: Any, load: Any, domain: str
) -> None:
    items = [Item(str(n), f"Thing {n}", {}) for n in range(8)]
    await load(domain, items, [Session(("0", "1"), "2")])
    await stranger.sign_in(await make_key())
    page = await stranger.get("/console", expect=422, domain=domain)
    nowhere = await stranger.get("/console", expect=422, domain="nowhere")
    strip = re.compile(r"'[^']*'|[0-9a-f]{32}")
    assert strip.sub("", page.one("main").text) == strip.sub("", nowhere.one("main").text)
