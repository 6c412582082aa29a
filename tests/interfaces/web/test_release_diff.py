"""How two releases differ: by what is planted in them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from console import Browser, form_to, forms
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.releases import Release, store_release
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.operations.hints.manage import add_hint, retire_hints
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.releases.diff import compare_releases
from re2llm.operations.releases.diff_results import ReleaseDiff
from re2llm.policies.descriptors import DESCRIPTOR_NAMES
from re2llm.policies.networks import ContentConfig, ContentPolicy
from re2llm.policies.weights import dump_policy
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text
from typer.testing import CliRunner

TEXTS = ("Prefer films of the same genres.", "Prefer old classics.", "Prefer the same decade.")


@pytest.fixture
async def known(load: Any, domain: str, services: Services) -> tuple[str, list[int]]:
    """Releases 1 and 2, which give no hint and always one, and 3, which is 2 with other hints."""
    await load(domain, list(sample_items()), simulate_sessions(3, seed=1))
    hints = [(await add_hint(Context(domain=domain), one)).hint_id or 0 for one in TEXTS]
    options = await resolve_context(Context(domain=domain))
    policy = ContentPolicy(ContentConfig(len(DESCRIPTOR_NAMES), 384))
    bias = policy.nothing_bias.item()
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for number, away, given in ((1, 50.0, hints[:2]), (2, -50.0, hints[:2]), (3, -50.0, hints)):
            policy.nothing_bias.data.fill_(bias + away)
            weights, shape = dump_policy(policy)
            await store_release(
                connection,
                found.id,
                Release(
                    recipe="content",
                    weights=weights,
                    encoder=ENCODER_ID,
                    prompt_version=options.prompt_version,
                    model=options.model,
                    hint_set=f"set of {len(given)}",
                    hint_ids=given,
                    config={
                        "policy": shape,
                        "training": {"updates": 100 + number, "seed": 0},
                        "seconds": float(number),
                    },
                    metrics={"gain": number / 100, "validation_sessions": 9, "curve": []},
                ),
            )
    return domain, hints


async def compared(domain: str, first: int, second: int, **more: Any) -> ReleaseDiff:
    return await compare_releases(Context(domain=domain), first, second, **more)


async def test_what_differs_is_found_and_nothing_else(known: tuple[str, list[int]]) -> None:
    domain, hints = known
    await retire_hints(Context(domain=domain), [hints[2]])
    found = await compared(domain, 1, 3, sessions=6)
    assert [(one.id, one.text, one.status) for one in found.hints_added] == [
        (hints[2], TEXTS[2], "retired")
    ]
    assert found.hints_removed == []
    assert {one.name: (one.first, one.second) for one in found.settings} == {
        "hint_set": ("set of 2", "set of 3"),
        "training.updates": (101, 103),
    }
    assert {one.name: (one.first, one.second) for one in found.validation} == {
        "gain": (0.01, 0.03),
        "validation_sessions": (9, 9),
    }
    assert found.sessions == len(found.differing) == 6
    for one in found.differing:
        assert one.first == []
        assert set(one.second) <= {*hints[:2]}
        assert one.second, "a retired hint is not given, another one is"
        assert all(not title.isdecimal() for title in one.history)
    assert found.logged is not None
    assert all("has feedback yet" in one.problem for one in found.logged)
    back = await compared(domain, 3, 1, sessions=0, logged=False)
    assert (back.hints_removed, back.hints_added) == (found.hints_added, [])
    assert back.logged is None
    alike = await compared(domain, 2, 3, sessions=6, logged=False)
    assert (alike.sessions, alike.differing) == (6, [])
    with pytest.raises(InputError, match="release"):
        await compared(domain, 1, 99)
    with pytest.raises(InputError, match="second: Release 2 is the first one, too"):
        await compared(domain, 2, 2)


@pytest.mark.long
async def test_feedback_is_weighed_for_both(known: tuple[str, list[int]]) -> None:
    domain, _ = known
    for film in sample_items()[:12]:
        made = await recommend(Context(domain=domain, policy="random"), [film.id])
        await give_feedback(
            Context(domain=domain), made.recommendation_id or "", made.items[1].id, learn=False
        )
    found = await compared(domain, 1, 2, sessions=0)
    assert found.logged is not None
    reports = [one.report or one.problem for one in found.logged]
    assert all(isinstance(one, str) or one["used"] == 12 for one in reports), reports
    assert any(not isinstance(one, str) for one in reports)


async def test_the_command_prints_what_the_operation_finds(known: tuple[str, list[int]]) -> None:
    domain, hints = known
    words = ["policy", "diff", "1", "3", "--domain", domain, "--sessions", "3"]
    printed = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--json"])
    assert printed.exit_code == 0, printed.output
    document = json.loads(printed.stdout)
    assert document == (await compared(domain, 1, 3, sessions=3)).model_dump(mode="json")
    shown = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert "They choose differently for 3 of 3 training sessions." in shown.output
    assert f"{hints[2]} (active) {TEXTS[2]}" in shown.output


@pytest.mark.parametrize(
    ("numbers", "field"),
    [(("98", "99"), "RELEASE"), (("1", "99"), "RELEASE"), (("2", "2"), "OTHER")],
)
async def test_the_command_names_its_own_argument_at_fault(
    known: tuple[str, list[int]], numbers: tuple[str, str], field: str
) -> None:
    words = ["policy", "diff", *numbers, "--domain", known[0], "--json"]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert json.loads(done.stdout)["error"]["field"] == field
    assert done.stderr.startswith(f"error: {field}: ")


async def test_the_page_shows_both_and_lets_them_choose(
    browser: Browser, known: tuple[str, list[int]]
) -> None:
    domain, _ = known
    page = await browser.get("/console/releases/3", domain=domain)
    answer = await browser.send(form_to(page, "/console/releases/3/compare"), other=1)
    assert answer.status_code == 200
    assert TEXTS[2] in answer.text
    assert "training.updates" in answer.text
    page = await browser.get("/console/releases/3/compare", domain=domain, other=1)
    post = next(form for form in forms(page) if form.method == "post")
    answer = await browser.send(post, sessions=4)
    assert "They choose differently for 4 of 4 training sessions." in answer.text
    assert (await browser.send(post, sessions=201)).status_code == 422
    await browser.get("/console/releases/3/compare", expect=404, domain=domain, other=99)


@pytest.mark.parametrize(("release", "other"), [(1, 2), (2, 1), (3, 2)])
async def test_a_release_is_compared_with_one_that_there_is(
    browser: Browser, known: tuple[str, list[int]], release: int, other: int
) -> None:
    domain, _ = known
    path = f"/console/releases/{release}"
    form = form_to(await browser.get(path, domain=domain), f"{path}/compare")
    assert dict(form.fields)["other"] == str(other)
    page = await browser.get(f"{path}/compare", domain=domain)
    assert f"Releases {other} and {release}" in page.all("h1")[0].text


async def test_the_only_release_is_compared_with_none(
    browser: Browser, known: tuple[str, list[int]], services: Services
) -> None:
    domain, _ = known
    async with services.engine.begin() as connection:
        await connection.execute(
            text(
                "DELETE FROM re2llm.policy_release WHERE number > 1 AND "
                "domain_id = (SELECT id FROM re2llm.domain WHERE name = :domain)"
            ),
            {"domain": domain},
        )
    page = await browser.get("/console/releases/1", domain=domain)
    assert not [form for form in forms(page) if form.action.endswith("/compare")]
    page = await browser.get("/console/releases/1/compare", expect=422, domain=domain)
    assert "There is no other release." in page.text
    await browser.get("/console/releases/2/compare", expect=404, domain=domain)
