"""Double clicks in Debian's Chromium: what a form asks for is done once, and said to be done."""

from __future__ import annotations

from typing import Any

import pytest
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.queue.control import jobs
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.served import active_release_number
from re2llm.operations.releases.manage import activate_release
from re2llm.operations.releases.rollouts import show_canary
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import two_releases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


async def test_double_clicks(tab: Any, load: Any, domain: str, services: Services) -> None:
    await load(domain, list(sample_items()), simulate_sessions(3, seed=1))
    there = await two_releases(services, domain)
    await activate_release(Context(domain=domain), 2, force=True)
    status = tab.get_by_role("status")
    await tab.goto(f"/console/releases?domain={domain}")
    await tab.get_by_role("button", name="Roll back to the release before").dblclick()
    await status.get_by_text("The release before is active again.").wait_for()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        assert await active_release_number(connection, found.id) == 1
    await tab.goto(f"/console/releases/2?domain={domain}")
    await tab.get_by_role("button", name="Start").dblclick()
    await status.get_by_text("The rollout has begun.").wait_for()
    await tab.get_by_role("button", name="Activate for everybody now").dblclick()
    await status.get_by_text("The release is active.").wait_for()
    assert (await show_canary(Context(), domain=domain)).state == "promoted"
    await tab.goto(f"/console/hints/{there.hints[0]}?domain={domain}")
    await tab.get_by_role("button", name="Try it").dblclick()
    await status.get_by_text("The job is submitted").wait_for()
    await tab.get_by_text("Waiting for a worker").wait_for()
    assert len(await jobs(Context(domain=domain), domain=domain)) == 1
    async with tab.expect_response("**/jobs/try-*"):  # a poll, whose forms stay the page's
        value = await tab.locator("#job input[name=once]").first.get_attribute("value")
    await tab.wait_for_timeout(300)
    kept = await tab.locator("#job input[name=once]").first.get_attribute("value")
    assert kept == value
    await tab.get_by_role("button", name="Pause").dblclick()
    await status.get_by_text("The job is paused.").wait_for()
