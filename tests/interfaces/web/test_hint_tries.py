"""Trying a hint from its page: a job with a bar, then the measured gain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from console import Browser, Element, form_to, forms
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.control import job
from re2llm.jobs.worker import pieces
from re2llm.knowledge.hint_store.trials import Gain, gains
from re2llm.operations.hints.manage import add_hint, list_hints
from re2llm.operations.hints.try_hint import sessions_to_try, try_hint, try_on_session
from re2llm.ranking.hints import panel_gains
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context

TEXT = "Prefer films that share at least 3 themes with the history."


@pytest.fixture
async def known(load: Any, domain: str) -> str:
    await load(domain, list(sample_items()), simulate_sessions(3, seed=1))
    return domain


async def work_off(job_id: str, *, most: int | None = None) -> None:
    """Do what workers do; with `most`, only so many pieces."""
    plan = await pieces.plan(job_id, 1)
    assert plan is not None
    assert plan["error"] is None, plan
    counts: Counter[str] = Counter()
    for piece in plan["pieces"][:most]:
        outcome = await pieces.do_piece(job_id, 1, plan["shared"], piece)
        counts.update(outcome.get("counts", {}))
    if most is None:
        await pieces.finish(job_id, 1, plan["shared"], counts)


async def submitted(browser: Browser, page: Element, action: str, **fields: Any) -> tuple[str, str]:
    """Send the form, and return the job's id and its page's address."""
    answer = await browser.send(form_to(page, action), **fields)
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    return where.split("/")[-1].split("?")[0], where


@pytest.mark.long
async def test_a_stored_hint_is_tried_and_its_gain_is_what_trying_measures(
    browser: Browser, known: str
) -> None:
    hint = (await add_hint(Context(domain=known), TEXT)).hint_id
    page = await browser.get(f"/console/hints/{hint}", domain=known)
    action = f"/console/hints/{hint}/try"
    id_, where = await submitted(browser, page, action, sessions=4, max_llm_calls=100)
    page = await browser.get(where)
    assert "Waiting for a worker" in page.text
    assert page.one("job").attributes["hx-trigger"] == "every 2s"
    await work_off(id_, most=2)
    page = await browser.get(where)  # it goes on whoever looks at it
    assert "4 of at most 100" in page.text
    assert "Gain " not in page.one("main").text
    await work_off(id_)
    page = await browser.get(where)
    assert "hx-trigger" not in page.one("job").attributes
    alone = await try_hint(Context(domain=known), TEXT, sessions=4)
    assert alone.gain.sessions == 4
    shown = page.one("main").text
    low, high = (f"{value:+.3f}".replace("-", "\u2212") for value in alone.gain.ci90)
    mean = f"{alone.gain.mean:+.3f}".replace("-", "\u2212")
    assert f"Gain {mean}, 90 % interval {low} to {high} in NDCG@10" in shown
    assert f"{alone.gain.helped} helped, {alone.gain.harmed} harmed" in shown
    page = await browser.get(f"/console/hints/{hint}", domain=known)
    assert len(page.one("trials").all("tr")) == 1 + 4
    (stored,) = (await list_hints(Context(domain=known))).hints
    assert (stored.status, stored.trials) == ("active", 4), "trying decides nothing"


async def test_a_new_text_is_tried_first_and_stored_then(browser: Browser, known: str) -> None:
    page = await browser.get("/console/hints", domain=known)
    id_, where = await submitted(browser, page, "/console/hints:try", text=f"  {TEXT} ", sessions=2)
    assert not (await list_hints(Context(domain=known))).hints
    await work_off(id_)
    page = await browser.get(where)
    answer = await browser.send(form_to(page, "/console/hints:add"))
    assert answer.status_code == 303
    (stored,) = (await list_hints(Context(domain=known))).hints
    assert stored.text == TEXT


async def test_a_try_is_cancelled_and_a_leak_cannot_be_stored(browser: Browser, known: str) -> None:
    page = await browser.get("/console/hints", domain=known)
    text = "Prefer <b>Alien</b> to all others."
    id_, where = await submitted(browser, page, "/console/hints:try", text=text, sessions=2)
    page = await browser.get(where)
    form = form_to(page, f"/console/jobs/{id_}/change")
    assert (await browser.send(form, ("change", "cancel"))).status_code == 303
    assert await pieces.plan(id_, 1) is None
    assert (await job(Context(), id_)).job.state == "cancelled"
    assert "cancelled" in (await browser.get(where)).all("h1")[0].text
    page = await browser.get("/console/hints", domain=known)
    id_, where = await submitted(browser, page, "/console/hints:try", text=text, sessions=2)
    await work_off(id_)
    page = await browser.get(where)
    assert "It cannot be stored" in page.text
    assert "/console/hints:add" not in [one.attributes.get("action") for one in page.all("form")]
    assert not page.one("main").all("b"), "the text is text"


@pytest.mark.parametrize(
    "fields", [{"sessions": 1}, {"sessions": 1_001}, {"sessions": "x"}, {"text": "  "}]
)
async def test_what_cannot_be_tried_is_refused(
    browser: Browser, films: str, fields: dict[str, Any]
) -> None:
    page = await browser.get("/console/hints", domain=films)
    form = form_to(page, "/console/hints:try")
    answer = await browser.send(form, **{"text": TEXT, "sessions": 2, **fields})
    assert answer.status_code == 422
    answer = await browser.send(form, text=TEXT, sessions=2, max_cost=-1)
    assert answer.status_code == 422


@pytest.mark.long
async def test_a_key_with_a_daily_limit_starts_none_and_is_not_asked_to(
    browser: Browser, stranger: Browser, known: str, make_key: Any
) -> None:
    hint = (await add_hint(Context(domain=known), TEXT)).hint_id
    page = await browser.get(f"/console/hints/{hint}", domain=known)
    action = f"/console/hints/{hint}/try"
    _, where = await submitted(browser, page, action, sessions=2)
    page = await browser.get(where)
    (change,) = (one for one in forms(page) if one.action.endswith("/change"))
    assert (await browser.send(change, ("change", "pause"))).status_code == 303
    starts = {action, "/console/hints:try", "/console/jobs:submit"}
    for limit in ({"calls_per_day": 3}, {"usd_per_day": 1.0}, {}):
        await stranger.sign_in(await make_key(known, may=("learn",), **limit))
        shown: set[str] = set()
        for path in (f"/console/hints/{hint}", "/console/hints", "/console/jobs"):
            page = await stranger.get(path, domain=known)
            shown |= {form.action for form in forms(page)}
        assert "/console/hints:add" in shown
        assert shown & starts == (set() if limit else starts)
        page = await stranger.get(where)
        values = {button.attributes.get("value") for button in page.all("button")}
        assert values & {"resume", "cancel"} == ({"cancel"} if limit else {"resume", "cancel"})
    await stranger.sign_in(await make_key(known, may=("learn",), calls_per_day=3))
    page = await stranger.get("/console/hints", domain=known)
    form = replace(form_to(page, "/console/hints:add"), action="/console/hints:try")
    assert (await stranger.send(form, text=TEXT, sessions=2)).status_code == 403


async def test_a_session_is_tried_without_the_trials_of_all_others(
    known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or each piece of a job would load what all pieces before it have paid."""
    context = Context(domain=known)
    await try_hint(context, TEXT, sessions=3)
    sessions = await sessions_to_try(await resolve_context(context), 3)
    loaded: list[Gain] = []

    async def counted(*arguments: Any) -> list[Gain]:
        found = await gains(*arguments)
        loaded.extend(found)
        return found

    monkeypatch.setattr(panel_gains, "paid_gains", counted)
    await try_on_session(context, TEXT, sessions[1])
    assert [gain.session_id for gain in loaded] == [sessions[1]]
