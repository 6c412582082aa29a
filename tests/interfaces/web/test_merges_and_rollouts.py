"""Pages of a hint that was merged, of a set of hints, and of a release in a live rollout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from api_server import serving_api
from console import Browser, form_to, forms, parsed
from prompts import ALONE_VERSION
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.decisions import StatusChange, apply_change
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.releases import Release, activate_release, fetch_release, store_release
from re2llm.knowledge.rollouts.rollouts import latest_rollout
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.operations.hints.manage import show_hint
from re2llm.operations.releases.rollouts import (
    promote_canary,
    show_canary,
    start_canary,
    stop_canary,
)
from re2llm.policies.descriptors import DESCRIPTOR_NAMES
from re2llm.policies.networks import ContentConfig, ContentPolicy
from re2llm.policies.rollout.plan import Plan
from re2llm.policies.weights import dump_policy
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import FILM_IDS, two_releases
from tried import stored

SESSIONS = simulate_sessions(12, seed=8)
TEXTS = (
    "Prefer films by the directors of the most recent films.",
    "Prefer films that many people know.",
)


@pytest.fixture
async def school(load: Callable[..., Any], domain: str) -> str:
    await load(domain, sample_items(), SESSIONS)
    return domain


async def test_a_merged_hint_says_so_and_what_approving_it_does(
    browser: Browser, school: str, services: Services
) -> None:
    kept, merged = await stored(services, school, *TEXTS)
    change = StatusChange(merged, "repeats", "active", "retired", "It says the same.", {}, kept)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, school)
        assert await apply_change(connection, found.id, change, PromptedModel("offline", "v"))
    page = await browser.get(f"/console/hints/{merged}", domain=school)
    shown = page.one("main").text
    for part in (f"hint {kept}, which says the same", "Approving it undoes the merge"):
        assert part in shown
    decided = page.one("decisions").text
    assert "active → retired: It says the same." in decided
    page_of_kept = await browser.get(f"/console/hints/{kept}", domain=school)
    links = [link.attributes["href"] for link in page_of_kept.one("origin").all("a")]
    assert f"/console/hints/{merged}?domain={school}" in links
    assert "Approving it undoes" not in page_of_kept.text
    form = form_to(page, "/console/hints:change")
    answer = await browser.send(form, ("change", "approve"))
    assert answer.status_code == 303, answer.text
    page = await browser.get(answer.headers["location"])
    assert "undoes the merge" not in page.one("main").text
    story = await show_hint(Context(domain=school), merged)
    assert (story["status"], story["merged_into"]) == ("active", None)


async def test_a_release_in_a_rollout_shows_it_and_what_ends_it(
    browser: Browser, school: str, services: Services
) -> None:
    there = await two_releases(services, school)
    page = await browser.get("/console/releases/2", domain=school)
    assert "Rollout" not in page.one("main").text
    await start_canary(Context(), 2, domain=school, plan=Plan(steps=(5, 100)))
    page = await browser.get("/console/releases/2", domain=school)
    shown = page.one("rollout").text
    for part in ("Rollout 1", "running", "5 % of people get release 2."):
        assert part in shown
    assert "ends a live rollout" in page.one("main").text
    releases = await browser.get("/console/releases", domain=school)
    assert "rolling back ends a live rollout" in releases.one("main").text
    form = form_to(page, "/console/releases/2/activate")
    assert (await browser.send(form, force="true")).status_code == 303
    async with services.engine.connect() as connection:
        found = await latest_rollout(connection, there.domain_id)
    assert found is not None
    assert found.state == "stopped"
    page = await browser.get("/console/releases/2", domain=school)
    assert "stopped" in page.one("rollout").text


async def test_a_rollout_is_started_watched_stopped_and_promoted(
    browser: Browser, school: str, services: Services
) -> None:
    there = await two_releases(services, school)

    async def state() -> str:
        async with services.engine.connect() as connection:
            found = await latest_rollout(connection, there.domain_id)
        assert found is not None
        return found.state

    page = await browser.get("/console/releases/1", domain=school)
    assert "step by step" not in page.one("main").text  # it is active
    page = await browser.get("/console/releases/2", domain=school)
    start = form_to(page, "/console/releases/2/canary")
    wrong = await browser.send(start, steps="5, many")
    assert (wrong.status_code, "Write 1,5,25,100." in wrong.text) == (422, True)
    answer = await browser.send(start, steps="30 %, 100", hold="7")
    assert answer.status_code == 303, answer.text
    page = await browser.get(answer.headers["location"])
    assert "The rollout has begun." in page.one("main").text
    shown = page.one("rollout")
    for part in ("Rollout 1", "running", "30 % of people", "the active release", "started, 30 %"):
        assert part in shown.text
    assert "step by step" not in page.one("main").text
    stop = form_to(page, "/console/releases:stop-canary")
    assert (await browser.send(stop)).status_code == 303
    assert await state() == "stopped"
    again = form_to(await browser.get("/console/releases/2", domain=school), start.action)
    assert (await browser.send(again)).status_code == 303
    page = await browser.get("/console/releases/2", domain=school)
    assert "Rollout 2" in page.one("rollout").text
    promote = form_to(page, "/console/releases:promote-canary")
    assert (await browser.send(promote)).status_code == 303
    assert await state() == "promoted"
    page = await browser.get("/console/releases/2", domain=school)
    assert "Activate" not in page.one("main").text


@pytest.mark.parametrize("ended", ["stop", "promote"])
async def test_a_page_ends_no_rollout_but_its_own(
    browser: Browser, school: str, services: Services, ended: str
) -> None:
    there = await two_releases(services, school)
    async with services.engine.begin() as connection:
        release = await fetch_release(connection, there.domain_id, 2)
        assert await store_release(connection, there.domain_id, release) == 3
    await start_canary(Context(), 2, domain=school)
    page = await browser.get("/console/releases/2", domain=school)
    form = form_to(page, f"/console/releases:{ended}-canary")
    await stop_canary(Context(), domain=school)
    started = await start_canary(Context(), 3, domain=school)
    answer = await browser.send(form)
    assert answer.status_code == 422
    assert "Release 3 is being rolled out, not release 2. Nothing was changed." in answer.text
    assert await show_canary(Context(), domain=school) == started
    await promote_canary(Context(), domain=school, release=3)
    answer = await browser.send(form)
    told = answer.text if answer.status_code == 422 else answer.headers["location"]
    assert ("No release is being rolled out" in told) == (ended == "promote")
    assert ("done=canary-stopped" in told) == (ended == "stop")  # release 2 was, before


async def test_a_stop_that_came_too_late_says_so(
    browser: Browser, school: str, services: Services
) -> None:
    await two_releases(services, school)
    await start_canary(Context(), 2, domain=school)
    page = await browser.get("/console/releases/2", domain=school)
    form = form_to(page, "/console/releases:stop-canary")
    await promote_canary(Context(), domain=school)
    page = await browser.get((await browser.send(form)).headers["location"])
    assert "The rollout had ended before; nothing was changed." in page.one("main").text
    assert "promoted" in page.one("rollout").text


async def test_every_hint_of_a_set_is_shown(
    school: str, services: Services, adjust: Callable[..., None]
) -> None:
    numbers = await stored(services, school, *TEXTS)
    policy = ContentPolicy(ContentConfig(len(DESCRIPTOR_NAMES), 384, most=2))
    policy.nothing_bias.data -= 1.0
    policy.enough.data -= 2.0
    weights, shape = dump_policy(policy)
    release = Release(
        recipe="content",
        weights=weights,
        encoder=ENCODER_ID,
        prompt_version=ALONE_VERSION,
        model="offline",
        hint_set="",
        hint_ids=[],
        config={"policy": shape},
        metrics={"gain": 0.1},
    )
    async with services.engine.begin() as connection:
        found = await find_domain(connection, school)
        number = await store_release(connection, found.id, release)
        await activate_release(connection, found.id, number, force=True)
    adjust(max_hints=2)
    with serving_api() as address:  # it reads the settings when it starts
        async with Browser(address) as browser:
            query = {"history": FILM_IDS[:3], "candidates": FILM_IDS[100:112]}
            page = await browser.get("/console/try", domain=school, **query)
            form = next(form for form in forms(page) if form.method == "post")
            answer = await browser.send(form)
    assert answer.status_code == 200, answer.text
    shown = parsed(answer.text).one("tried")
    for number, words in zip(numbers, TEXTS, strict=True):
        assert f"Hint {number}, chosen by ppo:1" in shown.text
        assert words in shown.text
    assert len([one for one in shown.all("a") if one.text.startswith("Hint ")]) == 2
