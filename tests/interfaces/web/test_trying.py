"""Building a session, ranking it with and without a hint, and giving feedback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from api_server import serving_api
from console import Browser, Element, Form, form_to, forms, parsed
from fault_server import FaultServer
from keyed_runs import own_model
from re2llm.data.sample import sample_items
from re2llm.knowledge.access.allowances import used_today
from re2llm.knowledge.schema.log import FeedbackRow, RecommendationRow
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.recommending.try_session import try_session
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import func, select

FILMS = list(sample_items())


async def count(services: Services, table: Any) -> int:
    async with services.engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(table)) or 0


async def test_a_session_is_built_by_following_links(browser: Browser) -> None:
    page = await browser.get("/console/try", domain="films", words="Alien")
    links = {link.attributes.get("aria-label"): link for link in page.all("a")}
    page = await browser.get(links["Add Alien to the session"].attributes["href"])
    form = form_to(page, "/console/try")
    search = await browser.send(form, words="Blade Runner")
    assert search.status_code == 200
    assert "Add Blade Runner to the candidates" in search.text
    post = _rank_form(page)
    assert [value for name, value in post.fields if name == "history"] == [_id("Alien")]
    remove = {link.attributes.get("aria-label"): link for link in page.all("a")}["Remove Alien"]
    page = await browser.get(remove.attributes["href"])
    assert "Nothing yet" in page.text


async def test_both_rankings_stand_side_by_side_and_one_is_logged(
    browser: Browser, load: Any, domain: str, services: Services
) -> None:
    await load(domain, FILMS[:30], [Session((FILMS[0].id,), FILMS[1].id)])
    hint = await add_hint(Context(domain=domain), "Prefer the oldest films.")
    history = [film.id for film in FILMS[:2]]
    page = await browser.get("/console/try", domain=domain, history=history)
    post = next(form for form in forms(page) if form.method == "post")
    before = await count(services, RecommendationRow)
    answer = await browser.send(post, hint=hint.hint_id, k=5)
    assert answer.status_code == 200, answer.text
    assert await count(services, RecommendationRow) == before + 1
    page = parsed(answer.text)
    shown = page.one("main").text
    assert "With the hint" in shown
    assert "Without it" in shown
    tables = [[row.all("td")[1].text for row in table.all("tr")[1:]] for table in page.all("table")]
    assert [len(table) for table in tables] == [5, 5]
    compared = await try_session(
        Context(domain=domain, record=False), history, k=5, hint=hint.hint_id
    )
    assert compared.plain is not None
    for table, ranking in zip(tables, (compared.hinted, compared.plain), strict=True):
        for cell, item in zip(table, ranking.recommended.items, strict=True):
            assert cell.startswith(item.title)
    with_hint, without = [one.text for one in page.all("details") if "prompt" in one.text[:12]]
    assert "Prefer the oldest films." in with_hint
    assert "Prefer the oldest films." not in without
    for film in FILMS[:2]:
        assert film.title in with_hint
    moved = [row.all("td")[2].text for row in page.all("table")[0].all("tr")[1:]]
    places = {one: place for place, one in enumerate(compared.plain.recommended.ranking)}
    for said, (place, item) in zip(
        moved, enumerate(compared.hinted.recommended.items), strict=True
    ):
        by = places[item.id] - place
        assert said == (f"↑ {by} up" if by > 0 else f"↓ {-by} down" if by < 0 else "same")
    feedback = form_to(page, "/console/try/feedback")
    stored = await count(services, FeedbackRow)
    for _ in range(2):  # sending it again changes nothing
        answer = await browser.send(feedback, feedback.buttons[0])
        assert answer.status_code == 200, answer.text
        assert "was picked, at rank 1" in answer.text
    assert await count(services, FeedbackRow) == stored + 1
    answer = await browser.send(feedback, feedback.buttons[1])
    assert answer.status_code == 422


async def test_without_a_hint_there_is_nothing_to_compare(
    browser: Browser, load: Any, domain: str
) -> None:
    await load(domain, [Item(str(n), f"Thing {n}", {}) for n in range(12)])
    page = await browser.get("/console/try", domain=domain, history=["1"], candidates=["2", "3"])
    post = next(form for form in forms(page) if form.method == "post")
    answer = await browser.send(post)
    assert "There is nothing to compare" in answer.text
    (table,) = parsed(answer.text).all("table")
    assert sorted(row.all("td")[1].text for row in table.all("tr")[1:]) == ["Thing 2", "Thing 3"]
    form = form_to(parsed(answer.text), "/console/try/feedback")
    answer = await browser.send(form, form.buttons[-1])
    assert "None of these was picked" in answer.text


async def test_how_to_rank_stays_with_the_session(browser: Browser, films: str) -> None:
    hint = (await add_hint(Context(domain=films), "Prefer films of directors.")).hint_id
    ids = [film.id for film in FILMS[:2]]
    settings = {"k": "25", "hint": str(hint)}
    page = await browser.get(
        "/console/try", domain=films, history=ids, words=FILMS[3].title, **settings
    )
    answer = await browser.send(_rank_form(page), k=7)
    again = await browser.get(answer.headers["hx-push-url"])
    assert "The prompt" not in again.text, "a link ranks nothing"
    feedback = form_to(parsed(answer.text), "/console/try/feedback")
    stored = parsed((await browser.send(feedback, feedback.buttons[0])).text)
    back = await browser.get(stored.one("feedback").all("a")[-1].attributes["href"])
    for shown, k in ((page, "25"), (parsed(answer.text), "7"), (again, "7"), (back, "7")):
        assert {name: shown.one(name).attributes["value"] for name in settings} == settings | {
            "k": k
        }
        assert [one.attributes["value"] for one in shown.all("input") if _is_history(one)][
            :2
        ] == ids
        links = [one for one in shown.all("a") if "button" in one.attributes.get("class", "")]
        assert len(links) >= 2
        for link in links:
            named = parse_qs(urlsplit(link.attributes["href"]).query)
            assert (named["k"], named["hint"]) == ([k], [str(hint)])
    for wrong in ({"k": 0}, {"k": 51}, {"hint": "x"}, {"hint": 0}):
        await browser.get("/console/try", expect=422, domain=films, **wrong)
    plain = await browser.get("/console/try", domain=films, history=ids, hint="")
    assert plain.one("k").attributes["value"] == "10"
    for link in plain.all("a"):
        assert "hint=" not in link.attributes["href"]


async def test_a_script_is_given_no_address_that_proxies_refuse(
    browser: Browser, load: Any, domain: str
) -> None:
    ids = [f"{'long-id':0>60}-{n}" for n in range(90)]
    await load(domain, [Item(id_, f"Thing {id_}", {}) for id_ in ids])
    page = await browser.get("/console/try", domain=domain, history=ids[:80])
    answer = await browser.send(_rank_form(page))
    assert answer.status_code == 200
    assert "hx-push-url" not in answer.headers


async def test_what_cannot_be_ranked_is_said(browser: Browser) -> None:
    page = await browser.get("/console/try", domain="films", history=["no such id"])
    post = next(form for form in forms(page) if form.method == "post")
    assert "The session is empty" in (await browser.send(post)).text
    answer = await browser.send(post, history=["no such id"])
    assert answer.status_code == 422
    for hint in ("x", "0", "-1", "999999", "²", "99999999999", "9" * 5_000):
        answer = await browser.send(post, history=[FILMS[0].id], hint=hint)
        assert answer.status_code == 422, hint


async def test_a_form_takes_no_longer_session_than_the_page(browser: Browser) -> None:
    page = await browser.get("/console/try", domain="films", history=[FILMS[0].id])
    post = next(form for form in forms(page) if form.method == "post")
    many = [FILMS[0].id] * 101
    for name in ("history", "candidates"):
        answer = await browser.send(post, **{name: many})
        assert answer.status_code == 422
        assert f"{name}: " in answer.text
        assert "Go back and change it." in answer.text
        assert "OpenAPI" not in answer.text
    await browser.get("/console/try", expect=422, domain="films", history=many)


async def test_a_key_without_the_right_names_no_hint(stranger: Browser, make_key: Any) -> None:
    await stranger.sign_in(await make_key())
    page = await stranger.get("/console/try", domain="films", history=[FILMS[0].id])
    post = _rank_form(page)
    assert "hint" not in dict(post.fields)
    assert (await stranger.send(post)).status_code == 200
    assert (await stranger.send(post, hint=1)).status_code == 403


async def test_a_key_pays_for_both_rankings(
    stranger: Browser,
    make_key: Any,
    load: Any,
    domain: str,
    services: Services,
    adjust: Callable[..., None],
) -> None:
    await load(domain, FILMS[:30], [Session((FILMS[0].id,), FILMS[1].id)])
    hint = await add_hint(Context(domain=domain), "Prefer the oldest films.")
    key = await make_key(domain, may=("learn",))
    proxied = {"x-forwarded-for": stranger.http.headers["x-forwarded-for"]}
    with FaultServer().running() as model:
        own_model(model, adjust)
        with serving_api() as address:  # it reads the settings when it starts
            async with Browser(address, **proxied) as browser:
                await browser.sign_in(key)
                page = await browser.get("/console/try", domain=domain, history=[FILMS[0].id])
                answer = await browser.send(_rank_form(page), hint=hint.hint_id)
    assert answer.status_code == 200, answer.text
    assert "Without it" in answer.text
    assert len(model.asked) == 2
    async with services.engine.connect() as connection:
        calls, _ = await used_today(connection, key.split("_")[1])
    assert calls == 2


def _rank_form(page: Element) -> Form:
    """Return the form whose address is that of the session, so that Back finds it."""
    form = next(form for form in forms(page) if form.method == "post" and "/try?" in form.action)
    named = parse_qs(urlsplit(form.action).query)
    assert named.get("history", []) == [value for name, value in form.fields if name == "history"]
    return form


def _is_history(one: Element) -> bool:
    return one.attributes.get("name") == "history"


def _id(title: str) -> str:
    return next(film.id for film in FILMS if film.title == title)
