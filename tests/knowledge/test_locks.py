"""AdvisoryLocks on work, which one cancelled call must neither lose nor keep."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from re2llm.knowledge.engine import make_engine
from re2llm.knowledge.locks import AdvisoryLocks
from re2llm.settings import Settings

HELD, CLAIMED = 71_000, range(71_001, 71_041)
PATIENCE = 20.0


@pytest.fixture
async def two(url: str, settings: Settings) -> AsyncIterator[tuple[AdvisoryLocks, AdvisoryLocks]]:
    """The claims of two processes."""
    engine = make_engine(url, settings)
    locks = AdvisoryLocks(engine), AdvisoryLocks(engine)
    yield locks
    for each in locks:
        await each.close()
    await engine.dispose()


async def test_a_cancelled_call_takes_no_claim_along(
    two: tuple[AdvisoryLocks, AdvisoryLocks],
) -> None:
    ours, theirs = two
    assert await ours.claim_session(HELD)
    calls: list[asyncio.Task[bool]] = []
    for steps, key in enumerate(CLAIMED):
        call = asyncio.create_task(ours.claim_session(key))
        for _ in range(steps):  # so that each is struck at another point
            await asyncio.sleep(0)
        call.cancel()
        calls.append(call)
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(end, asyncio.CancelledError) for end in ended)
    assert not await theirs.claim_session(HELD)
    cancelled = {key for key, end in zip(CLAIMED, ended, strict=True) if end is not True}
    kept = set(CLAIMED) - cancelled
    async with asyncio.timeout(PATIENCE):  # undone a moment after the call
        while cancelled:
            cancelled = {key for key in cancelled if not await theirs.claim_session(key)}
    assert not any([await theirs.claim_session(key) for key in kept])
    await ours.release_session(HELD)
    assert await theirs.claim_session(HELD)


async def test_a_cancelled_learner_gives_back_all_its_sessions(
    two: tuple[AdvisoryLocks, AdvisoryLocks],
) -> None:
    ours, theirs = two
    assert await ours.claim_session(HELD)
    for key in CLAIMED:
        assert await ours.claim_further(HELD, key)
    release = asyncio.create_task(ours.release_session(HELD))
    await asyncio.sleep(0)
    release.cancel()
    await asyncio.gather(release, return_exceptions=True)
    left = {HELD, *CLAIMED}
    async with asyncio.timeout(PATIENCE):  # a moment later
        while left:
            left = {key for key in left if not await theirs.claim_session(key)}


async def test_a_call_that_is_cancelled_at_its_end_gives_its_slot_back(
    two: tuple[AdvisoryLocks, AdvisoryLocks],
) -> None:
    ours, _ = two
    inside = asyncio.Event()

    async def call() -> None:
        async with ours.slot("model", 1):
            inside.set()

    for steps in range(8):
        inside.clear()
        made = asyncio.create_task(call())
        async with asyncio.timeout(PATIENCE):
            await inside.wait()
        for _ in range(steps):  # so that each is struck at another point
            await asyncio.sleep(0)
        made.cancel()
        await asyncio.gather(made, return_exceptions=True)
    async with asyncio.timeout(PATIENCE), ours.slot("model", 1):
        pass


async def test_a_cancelled_release_is_one(two: tuple[AdvisoryLocks, AdvisoryLocks]) -> None:
    ours, theirs = two
    assert await ours.claim_session(HELD)
    release = asyncio.create_task(ours.release_session(HELD))
    await asyncio.sleep(0)
    release.cancel()
    await asyncio.gather(release, return_exceptions=True)
    assert await ours.claim_session(HELD), "the process has given it back"
    await ours.release_session(HELD)
    assert await theirs.claim_session(HELD)


async def test_a_task_is_held_by_one_until_it_ends_or_fails(
    two: tuple[AdvisoryLocks, AdvisoryLocks],
) -> None:
    ours, theirs = two

    async def fail(locks: AdvisoryLocks) -> None:
        async with ours.alone("task") as held, locks.alone("task") as again:
            assert held
            assert not again
            async with theirs.alone("another") as other:
                assert other
            raise ZeroDivisionError

    for locks in (theirs, ours):
        with pytest.raises(ZeroDivisionError):
            await fail(locks)
    async with theirs.alone("task") as held:
        assert held
