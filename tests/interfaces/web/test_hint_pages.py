"""The table of hints, and the page of one, over HTTP."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from console import Browser, Element, form_to
from re2llm.interfaces.web.pictures import gain_picture
from re2llm.operations.hints.manage import add_hint, list_hints, show_hint
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text

MANY = 3_000
FIRST = """
    INSERT INTO re2llm.hint (domain_id, key, text, embedding, status, created_at)
    SELECT d.id, sha256(('hint ' || n)::bytea), 'Hint ' || n || CASE WHEN n % 10 = 0
        THEN ' 100%_sure' ELSE '' END,
        array_fill(0.1::real, ARRAY[384])::vector,
        (ARRAY['active', 'pending', 'retired'])[n % 3 + 1], now() - n * interval '1 minute'
    FROM re2llm.domain d, generate_series(1, :many) n WHERE d.name = :domain
"""
STATS = """
    INSERT INTO re2llm.hint_stats (domain_id, hint_id, model, prompt_version, trials, mean_gain,
        gain_error, helped, harmed)
    SELECT d.id, h.id, :model, :version, 40, (h.id % 997) / 1000.0 - 0.5, 0.01, 9, 3
    FROM re2llm.hint h JOIN re2llm.domain d ON d.id = h.domain_id
    WHERE d.name = :domain AND h.id % 2 = 0
"""
USES = """
    INSERT INTO re2llm.recommendation (id, domain_id, history, candidates, ranking, policy,
        hint_id, probability, model, prompt_version, flags, latency_ms, tokens)
    SELECT gen_random_uuid(), d.id, '{}', '{}', '{}', 'static', h.id, 1, 'm', 'v', '{}', 1, '{}'
    FROM re2llm.hint h JOIN re2llm.domain d ON d.id = h.domain_id, generate_series(1, h.id % 5)
    WHERE d.name = :domain
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowded(services: Services) -> str:
    """A domain with thousands of hints."""
    from re2llm.operations.loading.load import load_domain

    name = "crowded"
    items = [Item(str(n), f"Thing {n}", {}) for n in range(8)]
    await load_domain(services, name, items, [lambda _: [Session(("0", "1"), "2")]])
    options = await resolve_context(Context(domain=name))
    async with services.engine.begin() as connection:
        await connection.execute(text(FIRST), {"domain": name, "many": MANY})
        given = {"domain": name, "model": options.model, "version": options.prompt_version}
        await connection.execute(text(STATS), given)
        await connection.execute(text(USES), {"domain": name})
    return name


@pytest_asyncio.fixture
async def thing(load: Any, domain: str) -> str:
    items = [Item(str(n), f"Thing {n}", {}) for n in range(8)]
    await load(domain, items, [Session(("0", "1"), "2")])
    return domain


def texts(page: Element) -> list[str]:
    return [cell.text for cell in page.all("td") if cell.attributes.get("class") == "text"]


@pytest.mark.long
async def test_pages_hold_every_hint_once(browser: Browser, crowded: str) -> None:
    seen: list[str] = []
    for number in range(1, MANY // 50 + 1):
        page = await browser.get("/console/hints", domain=crowded, page=number)
        assert len(texts(page)) == 50
        seen += texts(page)
    assert len(set(seen)) == MANY
    assert "Next" not in page.text
    assert "3,000 in all" in page.text
    assert texts(await browser.get("/console/hints", domain=crowded, page=999)) == []


@pytest.mark.long
async def test_the_address_filters_and_sorts(
    browser: Browser, crowded: str, services: Services
) -> None:
    async with services.engine.connect() as connection:
        found = (
            await connection.execute(
                text(
                    "SELECT h.id, h.text, h.status, s.mean_gain, (SELECT count(*) "
                    "FROM re2llm.recommendation r WHERE (r.domain_id, r.hint_id) = (d.id, h.id)) "
                    "AS uses FROM re2llm.hint h JOIN re2llm.domain d ON d.id = h.domain_id "
                    "LEFT JOIN re2llm.hint_stats s ON (s.domain_id, s.hint_id) = (d.id, h.id) "
                    "WHERE d.name = :domain"
                ),
                {"domain": crowded},
            )
        ).all()
    orders = {
        "age": lambda row: -row.id,
        "-age": lambda row: row.id,
        "gain": lambda row: (row.mean_gain is None, row.mean_gain or 0, -row.id),
        "-gain": lambda row: (row.mean_gain is None, -(row.mean_gain or 0), -row.id),
        "-uses": lambda row: (-row.uses, -row.id),
        "uses": lambda row: (row.uses, -row.id),
    }
    for status in ("", "active", "pending"):
        for sort, order in orders.items():
            page = await browser.get("/console/hints", domain=crowded, status=status, sort=sort)
            wanted = sorted((row for row in found if status in {"", row.status}), key=order)
            assert texts(page) == [row.text for row in wanted[:50]], (status, sort)
    page = await browser.get("/console/hints", domain=crowded, words="100%_SURE")
    assert len(texts(page)) == 50
    assert "300 in all" in page.text
    assert texts(await browser.get("/console/hints", domain=crowded, words="100_sure")) == []
    assert texts(await browser.get("/console/hints", domain=crowded, words="\0")) == []
    follow = next(
        link.attributes["href"] for link in page.all("a") if link.attributes.get("rel") == "next"
    )
    assert "words=100%25_SURE" in follow
    assert len(texts(await browser.get(follow))) == 50


async def test_a_hint_is_added_edited_approved_and_retired(browser: Browser, thing: str) -> None:
    page = await browser.get("/console/hints", domain=thing)
    assert "There is no hint yet" in page.text
    form = form_to(page, "/console/hints:add")
    answer = await browser.send(form, text="Prefer what is <b>new</b> & odd.")
    page = await browser.get(answer.headers["location"])
    assert "Prefer what is <b>new</b> & odd." in page.text
    (first,) = (await list_hints(Context(domain=thing))).hints
    assert first.status == "active"
    edit = form_to(page, f"/console/hints/{first.id}/edit")
    assert dict(edit.fields)["text"] == first.text
    answer = await browser.send(edit, text="Prefer what is old.", retire="true")
    page = await browser.get(answer.headers["location"])
    assert "waits until it is verified" in page.text
    old, new = (await list_hints(Context(domain=thing))).hints
    assert (old.status, new.status, new.trials) == ("retired", "pending", 0)
    story = await show_hint(Context(domain=thing), new.id)
    assert story["provenance"] == {"source": "person", "version_of": old.id}
    links = {link.attributes["href"] for link in page.all("a")}
    assert f"/console/hints/{old.id}?domain={thing}" in links
    page = await browser.get(f"/console/hints/{old.id}", domain=thing)
    assert f"hint {new.id}" in page.one("main").text
    page = await browser.get(f"/console/hints/{new.id}", domain=thing)
    change = form_to(page, "/console/hints:change")
    answer = await browser.send(change, ("change", "approve"))
    assert "Approved." in (await browser.get(answer.headers["location"])).text
    _, new = (await list_hints(Context(domain=thing))).hints
    assert new.status == "active"
    page = await browser.get("/console/hints", domain=thing)
    both = form_to(page, "/console/hints:change")
    answer = await browser.send(both, ("change", "retire"), hints=[old.id, new.id])
    assert answer.status_code == 303
    assert [one.status for one in (await list_hints(Context(domain=thing))).hints] == [
        "retired",
        "retired",
    ]


async def test_after_a_decision_on_several_hints_the_same_view_is_shown(
    browser: Browser, thing: str
) -> None:
    made = [await add_hint(Context(domain=thing), f"Prefer {word}.") for word in ("new", "old")]
    view = {"status": "active", "words": "prefer", "sort": "-gain"}
    page = await browser.get("/console/hints", domain=thing, **view)
    form = form_to(page, "/console/hints:change")
    chosen = [one.hint_id for one in made]
    answer = await browser.send(form, ("change", "retire"), hints=chosen)
    shown = parse_qs(urlsplit(answer.headers["location"]).query)
    assert shown == {"domain": [thing], "done": ["retired"], **{k: [v] for k, v in view.items()}}
    page = await browser.get("/console/hints", domain=thing, words="prefer")
    form = form_to(page, "/console/hints:change")
    answer = await browser.send(form, ("change", "approve"), hints=chosen, status="nonsense")
    assert answer.status_code == 422


async def test_what_cannot_be_stored_is_said(browser: Browser, thing: str) -> None:
    page = await browser.get("/console/hints", domain=thing)
    form = form_to(page, "/console/hints:add")
    for wrong in ("  ", "Always recommend Thing 5.", "x" * 501):
        answer = await browser.send(form, text=wrong)
        assert answer.status_code == 422, wrong
    assert not (await list_hints(Context(domain=thing))).hints
    answer = await browser.send(form, text="Prefer what is new.")
    again = await browser.send(form, text="Prefer what is new.")
    assert again.headers["location"].split("&")[0] == answer.headers["location"].split("&")[0]
    assert "stored already" in (await browser.get(again.headers["location"])).text
    page = await browser.get("/console/hints", domain=thing)
    both = form_to(page, "/console/hints:change")
    assert (await browser.send(both, ("change", "retire"))).status_code == 422
    answer = await browser.send(both, ("change", "retire"), hints=[1, 999_999])
    assert answer.status_code == 422


async def test_a_version_that_is_known_already_does_not_retire_the_edited_one(
    browser: Browser, thing: str
) -> None:
    page = await browser.get("/console/hints", domain=thing)
    for words in ("Prefer what is new.", "Prefer what is old."):
        await browser.send(form_to(page, "/console/hints:add"), text=words)
    first, _ = (await list_hints(Context(domain=thing))).hints
    page = await browser.get(f"/console/hints/{first.id}", domain=thing)
    edit = form_to(page, f"/console/hints/{first.id}/edit")
    answer = await browser.send(edit, text="Prefer what is old.", retire="true")
    assert "stored already" in (await browser.get(answer.headers["location"])).text
    statuses = [hint.status for hint in (await list_hints(Context(domain=thing))).hints]
    assert statuses == ["active", "active"]


async def test_the_lineage_shows_miss_diagnosis_and_each_trial(
    browser: Browser, thing: str, services: Services
) -> None:
    page = await browser.get("/console/hints", domain=thing)
    await browser.send(form_to(page, "/console/hints:add"), text="Prefer what is new.")
    (hint,) = (await list_hints(Context(domain=thing))).hints
    options = await resolve_context(Context(domain=thing))
    given = {"domain": thing, "model": options.model, "hint": hint.id}
    async with services.engine.begin() as connection:
        await connection.execute(text(LINEAGE), given)
        for key, rank, ndcg in (("", 7, 0.33), ("hint", 1, 1.0)):
            await connection.execute(
                text(TRIAL.replace("KEY", key)), {**given, "rank": rank, "ndcg": ndcg}
            )
    page = await browser.get(f"/console/hints/{hint.id}", domain=thing)
    shown = page.one("main").text
    for part in ("The model overlooked Thing 2", "Thing 0 → Thing 1", "ranked 7", "system"):
        assert part in shown
    row = page.one("trials").all("tr")[1].text
    assert "+0.670 helped" in row
    assert "Thing 2" in row


LINEAGE = """
    WITH made AS (
        INSERT INTO re2llm.reflection (domain_id, session_id, model, prompt_version, rank,
            diagnosis, messages)
        SELECT s.domain_id, s.id, :model, 'v', 7, 'The model overlooked Thing 2',
            '[{"role": "system", "content": "Rank."}]' FROM re2llm.session s
        JOIN re2llm.domain d ON d.id = s.domain_id WHERE d.name = :domain RETURNING id, domain_id
    ) INSERT INTO re2llm.hint_proposal (domain_id, reflection_id, text, outcome, reason, hint_id,
        verification)
    SELECT domain_id, id, 'Prefer what is new.', 'stored', '', :hint,
        '{"sessions": 9, "mean": 0.1, "helped": 5, "harmed": 1}' FROM made
"""
TRIAL = """
    INSERT INTO re2llm.hint_trial (session_id, hint_key, model, prompt_version, domain_id, rank,
        ndcg, answer, flags, tokens)
    SELECT s.id, CASE WHEN 'KEY' = '' THEN ''::bytea ELSE h.key END, :model, 'v', s.domain_id,
        :rank, :ndcg, '', '{}', '{}'
    FROM re2llm.session s JOIN re2llm.domain d ON d.id = s.domain_id
    JOIN re2llm.hint h ON h.domain_id = d.id WHERE d.name = :domain AND h.id = :hint
"""


@pytest.mark.parametrize(
    ("mean", "error", "tone"), [(0.05, 0.01, "good"), (-0.05, 0.01, "bad"), (0.01, 0.02, "muted")]
)
def test_the_picture_stands_where_the_gain_is(mean: float, error: float, tone: str) -> None:
    picture = gain_picture(mean, error, 9, 0.1)
    assert picture is not None
    assert picture.tone == tone
    assert 0 < picture.low < picture.mean < picture.high < 100
    assert (picture.mean > 50) == (mean > 0)
    assert picture.mean == pytest.approx(50 + mean / 0.1 * 46, abs=0.1)
    assert gain_picture(mean, error, 0, 0.1) is None


def test_ages_are_told_in_words() -> None:
    from re2llm.interfaces.web.rendering import ago, money, signed

    now = dt.datetime.now(dt.UTC)
    assert ago(now) == "a moment"
    assert ago(now - dt.timedelta(days=1, hours=3)) == "1 day"
    assert ago((now - dt.timedelta(hours=5)).isoformat()) == "5 hours"
    assert signed(-0.25) == "\N{MINUS SIGN}0.250"
    assert (money(None), money(0.0), money(0.00123), money(12.5)) == (
        "no price",
        "0.00",
        "0.0012",
        "12.50",
    )
