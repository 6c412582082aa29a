"""What a page loads again by itself: whoever stands in it with the keyboard stays there."""

from __future__ import annotations

from typing import Any

import pytest
from console import Browser, Element
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.submit import submit
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.releases.rollouts import start_canary
from re2llm.policies.rollout.plan import Plan
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import two_releases
from sqlalchemy import text

ENDED = """
    INSERT INTO re2llm.job (id, domain_id, kind, arguments, version, state, created_at)
    SELECT d.name || n, d.id, 'verify', '{}', 'v', 'done', now() - interval '1 day'
    FROM re2llm.domain d, generate_series(1, 60) n WHERE d.name = :domain
"""
FOCUSED = {"a", "button", "input", "select", "summary", "textarea"}


@pytest.fixture
async def live(load: Any, domain: str, services: Services) -> dict[str, int]:
    """Return the pages of a domain that load a part again, and what can have the focus there."""
    await load(domain, sample_items(), simulate_sessions(12, seed=8))
    context = Context(domain=domain)
    hint = (await add_hint(context, "Prefer films that many people chose.")).hint_id
    await two_releases(services, domain)
    await start_canary(context, 2, plan=Plan(steps=(5, 100)))
    verified = await submit(context, "verify", {})
    tried = await submit(context, "try", {"hint": hint, "count": 2})
    async with services.engine.begin() as connection:
        await connection.execute(text(ENDED), {"domain": domain})
    jobs = {f"/jobs/{verified.id}": 2, f"/jobs/{tried.id}": 3, "/jobs": 50 + 2}
    return {**jobs, "/releases/2": 3}


async def test_each_part_that_polls_names_all_that_can_have_the_focus(
    browser: Browser, domain: str, live: dict[str, int]
) -> None:
    for path, many in live.items():
        page = await browser.get(f"/console{path}", domain=domain)
        ids = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
        assert len(ids) == len(set(ids)), path
        (part,) = [one for one in page.all() if "every" in one.attributes.get("hx-trigger", "")]
        assert part.attributes["hx-select"] == f"#{part.attributes['id']}"
        stops = [one for one in part.all() if _takes_focus(one)]
        assert len(stops) == many, path
        # A script finds by its id what had the focus before.
        assert [one.attributes for one in stops if not one.attributes.get("id")] == [], path


def _takes_focus(one: Element) -> bool:
    hidden = one.attributes.get("type") == "hidden"
    return not hidden and (one.tag in FOCUSED or "tabindex" in one.attributes)
