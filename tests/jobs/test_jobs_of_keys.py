"""An API key has so many jobs running at once, however they were started."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from re2llm.errors import LimitReachedError
from re2llm.jobs.queue.control import cancel_job, jobs, pause, resume
from re2llm.jobs.queue.submit import submit
from re2llm.knowledge.jobs.of_keys import JOBS_AT_ONCE
from re2llm.runtime.context import Context


async def test_a_key_fills_no_queue(loaded: Callable[..., Any], holder: Callable[..., Any]) -> None:
    domain = await loaded(2, hints=1)
    greedy, other = await holder(domain), await holder(domain)
    asked = [submit(greedy, "verify", {}) for _ in range(JOBS_AT_ONCE + 3)]
    made = await asyncio.gather(*asked, return_exceptions=True)
    refused = [error for error in made if isinstance(error, LimitReachedError)]
    assert [error.field for error in refused] == ["jobs"] * 3
    assert len(await jobs(Context(), domain=domain, state="running")) == JOBS_AT_ONCE
    [first, second] = [one for one in made if not isinstance(one, BaseException)][:2]
    await submit(other, "verify", {})
    await pause(greedy, first.id)
    await submit(greedy, "verify", {})
    with pytest.raises(LimitReachedError, match="may have no more"):
        await resume(greedy, first.id)
    await cancel_job(greedy, second.id)
    assert (await resume(greedy, first.id)).job.state == "running"


async def test_who_has_no_key_has_no_limit(loaded: Callable[..., Any]) -> None:
    domain = await loaded(2, hints=1)
    for _ in range(JOBS_AT_ONCE + 1):
        await submit(Context(domain=domain), "verify", {})
