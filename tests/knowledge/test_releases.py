"""Releases that are activated at the same time: one after the other, each by the same rule."""

import asyncio

import pytest
from re2llm.errors import InputError
from re2llm.knowledge.domains import claim_domain
from re2llm.knowledge.releases import (
    Release,
    activate_release,
    rollback_release,
    store_release,
)
from re2llm.knowledge.served import active_release_number
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.runtime.services import Services
from sqlalchemy import text

WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


def release_of(gain: float) -> Release:
    return Release(
        recipe="paper",
        weights=b"",
        encoder=ENCODER_ID,
        prompt_version="test",
        model="offline",
        hint_set="",
        hint_ids=[],
        config={},
        metrics={"gain": gain},
    )


async def stored(services: Services, domain: str, *gains: float) -> int:
    """Store releases, numbered from 1, and return the domain's key."""
    async with services.engine.begin() as connection:
        found = await claim_domain(connection, domain, ENCODER_ID)
        for gain in gains:
            await store_release(connection, found.id, release_of(gain))
    return found.id


async def activate(services: Services, domain_id: int, number: int) -> None:
    async with services.engine.begin() as connection:
        await activate_release(connection, domain_id, number)


async def at_once(services: Services, domain_id: int, first: int, second: int) -> None:
    """Activate two releases, the second before the first is committed."""
    async with services.engine.connect() as watching, services.engine.begin() as connection:
        await activate_release(connection, domain_id, first)
        late = asyncio.create_task(activate(services, domain_id, second))
        for _ in range(200):
            if late.done() or await watching.scalar(WAITING):
                break
            await asyncio.sleep(0.02)
    await late


async def active(services: Services, domain_id: int) -> int | None:
    async with services.engine.connect() as connection:
        return await active_release_number(connection, domain_id)


async def test_a_worse_release_does_not_slip_past_a_better_one(
    services: Services, domain: str
) -> None:
    key = await stored(services, domain, 0.1, 0.3, 0.2)
    await activate(services, key, 1)
    with pytest.raises(InputError, match=r"the active release 2 gained \+0\.3"):
        await at_once(services, key, 2, 3)
    assert await active(services, key) == 2


async def test_two_first_releases_do_not_both_become_active(
    services: Services, domain: str
) -> None:
    key = await stored(services, domain, 0.1, 0.2)
    await at_once(services, key, 1, 2)
    assert await active(services, key) == 2


@pytest.mark.parametrize("at_once", [True, False])
async def test_two_that_go_back_from_one_release_do_not_bring_it_back(
    services: Services, domain: str, *, at_once: bool
) -> None:
    key = await stored(services, domain, 0.1, 0.2)
    await activate(services, key, 1)
    await activate(services, key, 2)

    async def back() -> None:
        async with services.engine.begin() as connection:
            await rollback_release(connection, key, active=2)

    if at_once:
        first, second = await asyncio.gather(back(), back(), return_exceptions=True)
        assert {type(first), type(second)} == {type(None), InputError}
    else:
        await back()
        with pytest.raises(InputError, match="Release 2 is not active: release 1 is"):
            await back()
    assert await active(services, key) == 1
