"""What a domain serves changes one thing after the other: activations, rollouts and their ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError, Re2llmError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.rollouts.rollouts import Rollout, claim_rollout, latest_rollout
from re2llm.knowledge.served import active_release_number, hold_served
from re2llm.operations.loading.load import load_domain
from re2llm.operations.releases.manage import activate_release, rollback_release
from re2llm.operations.releases.rollouts import promote_canary, start_canary, stop_canary
from re2llm.ranking.rollouts import look
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import TwoReleases, live_id, two_releases
from sqlalchemy import text

WITHIN = 60
WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
Change = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture
async def there(services: Services, domain: str) -> TwoReleases:
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(4, seed=1)])
    return await two_releases(services, domain)


async def activate(release: int, **where: Any) -> None:
    await activate_release(Context(), release, force=True, **where)


async def start(release: int, **where: Any) -> None:
    await start_canary(Context(), release, **where)


async def back(**where: Any) -> None:
    await rollback_release(Context(), **where)


async def stop(**where: Any) -> None:
    await stop_canary(Context(), **where)


async def promote(**where: Any) -> None:
    await promote_canary(Context(), **where)


async def served(services: Services, there: TwoReleases) -> tuple[int | None, Rollout | None]:
    async with services.engine.connect() as connection:
        active = await active_release_number(connection, there.domain_id)
        return active, await latest_rollout(connection, there.domain_id)


async def one_after_the_other(
    services: Services, there: TwoReleases, *changes: Callable[[], Awaitable[None]]
) -> list[BaseException | None]:
    """Begin changes in this order while another holds what is served, and let them go on."""
    tasks = list[asyncio.Future[None]]()
    async with services.engine.connect() as watching, services.engine.begin() as holder:
        await hold_served(holder, there.domain_id)
        for number, change in enumerate(changes, start=1):
            tasks.append(asyncio.ensure_future(change()))
            for _ in range(500):
                if tasks[-1].done() or await watching.scalar(WAITING) == number:
                    break
                await asyncio.sleep(0.02)
        assert not any(task.done() for task in tasks)
    done = asyncio.gather(*tasks, return_exceptions=True)
    return await asyncio.wait_for(done, WITHIN)


async def test_a_release_that_is_activated_meanwhile_is_not_rolled_out(
    services: Services, there: TwoReleases
) -> None:
    where = {"domain": there.domain}
    first, late = await one_after_the_other(
        services, there, lambda: activate(2, **where), lambda: start(2, **where)
    )
    assert first is None
    assert isinstance(late, InputError)
    assert "is active" in str(late)
    assert await served(services, there) == (2, None)


async def test_a_rollout_that_is_started_meanwhile_ends_with_an_activation(
    services: Services, there: TwoReleases
) -> None:
    where = {"domain": there.domain}
    ends = await one_after_the_other(
        services, there, lambda: start(2, **where), lambda: activate(2, **where)
    )
    assert ends == [None, None]
    active, rollout = await served(services, there)
    assert rollout is not None
    assert (active, rollout.state) == (2, "stopped")


@pytest.mark.parametrize("order", ["started last", "started first"])
async def test_a_rollout_compares_with_what_is_active_after_going_back(
    services: Services, there: TwoReleases, order: str
) -> None:
    where = {"domain": there.domain}
    await activate(2, **where)
    changes: list[Callable[[], Awaitable[None]]] = [
        lambda: back(**where),
        lambda: start(2 if order == "started last" else 1, **where),
    ]
    if order == "started first":
        changes.reverse()
    assert await one_after_the_other(services, there, *changes) == [None, None]
    active, rollout = await served(services, there)
    assert active == 1
    assert rollout is not None
    assert rollout.state == ("running" if order == "started last" else "stopped")
    assert rollout.control == (1 if order == "started last" else 2)


async def test_any_changes_at_once_leave_a_rollout_beside_what_it_compares_with(
    services: Services, there: TwoReleases
) -> None:
    """None is a deadlock, either, with a look at the rollout in between."""
    where = {"domain": there.domain}

    async def looked() -> None:
        if (await served(services, there))[1] is not None:
            await look(services, await live_id(services, there), pause=0)

    for turn in range(6):
        changes: list[Awaitable[None]] = [
            start(2, **where),
            activate(2 - turn % 2, **where),
            looked(),
            back(**where),
            promote(**where),
            start(1, **where),
            stop(**where),
            looked(),
        ]
        turned = changes[turn:] + changes[:turn]
        ends = await asyncio.wait_for(asyncio.gather(*turned, return_exceptions=True), WITHIN)
        assert all(end is None or isinstance(end, Re2llmError) for end in ends), ends
        active, rollout = await served(services, there)
        if rollout is not None and rollout.live:
            assert (rollout.control, rollout.release) == (active, 3 - (active or 0))


async def test_a_look_does_not_wait_while_what_is_served_changes(
    services: Services, there: TwoReleases
) -> None:
    await start(2, domain=there.domain)
    rollout = await live_id(services, there)
    async with services.engine.begin() as holder:
        await hold_served(holder, (await find_domain(holder, there.domain)).id)
        async with services.engine.begin() as other:
            assert await asyncio.wait_for(claim_rollout(other, rollout), WITHIN) is None
