"""Whose exposures decide a rollout, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.access.grants import Grants
from re2llm.knowledge.access.keys import create_key, revoke_key
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.releases.rollouts import show_canary, start_canary
from re2llm.policies.rollout.decision import Action
from re2llm.policies.rollout.plan import Plan
from re2llm.ranking.rollouts import look
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.context_checks import granted
from re2llm.runtime.services import Services
from rollouts import FILM_IDS, TwoReleases, fill, live_id, two_releases
from sqlalchemy import text

PLAN = Plan(steps=(50, 100), hold=100)


@pytest_asyncio.fixture
async def there(
    services: Services, domain: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TwoReleases]:
    """Two releases; looks are taken only where a test does it."""
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(20, seed=1)])
    monkeypatch.setattr(services.watching, "send", lambda *_: None)
    made = await two_releases(services, domain)
    await start_canary(Context(), 2, domain=domain, plan=PLAN)
    yield made


async def key_id(services: Services, domain: str, owner: str, **grants: Any) -> str:
    async with services.engine.begin() as connection:
        key = await create_key(connection, owner, [domain], Grants(**grants))
    return key.split("_")[1]


async def attacked(services: Services, there: TwoReleases, honest: str, evil: str) -> int:
    """Fair requests that show no difference, and some that praise the new release."""
    rollout = await live_id(services, there)
    for canary in (False, True):
        await fill(services, rollout, 0, canary=canary, n=600, mean=0.4, source=honest)
        await fill(services, rollout, 0, canary=canary, n=600, mean=float(canary), source=evil)
    return rollout


async def test_one_owner_alone_has_nothing_promoted(
    services: Services, there: TwoReleases, caplog: pytest.LogCaptureFixture
) -> None:
    honest = await key_id(services, there.domain, "shop")
    evil = await key_id(services, there.domain, "mallory")
    again = await key_id(services, there.domain, "mallory")
    rollout = await attacked(services, there, honest, evil)
    await fill(services, rollout, 0, canary=True, n=100, mean=1.0, source=again)
    verdict = await look(services, rollout, pause=0)
    assert verdict is not None
    assert (verdict.action, verdict.reason) == (Action.WAIT, "one_owner")
    assert "without the requests of 'mallory' it is not decided" in caplog.text
    shown = await show_canary(Context(), domain=there.domain)
    assert (shown.reason, shown.canary_counts.exposures) == ("one_owner", 1_300)
    assert "mallory" not in shown.model_dump_json()  # other owners may read it
    # What came with revoked keys no longer counts.
    async with services.engine.begin() as connection:
        await revoke_key(connection, evil)
        await revoke_key(connection, again)
    verdict = await look(services, rollout, pause=0)
    assert verdict is not None
    assert verdict.reason == "reward"
    assert (await show_canary(Context(), domain=there.domain)).canary_counts.exposures == 600


@pytest.mark.parametrize("trust", ["learn", "share", "only owner", "this machine"])
async def test_who_is_trusted_decides_alone(
    services: Services, there: TwoReleases, adjust: Any, trust: str
) -> None:
    owner = "shop" if trust == "only owner" else "partner"
    honest = await key_id(services, there.domain, owner)
    main = await key_id(services, there.domain, "shop")
    if trust == "learn":  # another key of the same owner says so
        await key_id(services, there.domain, "shop", may=("learn",))
    if trust == "share":
        adjust(source_share=1)
    rollout = await attacked(services, there, honest, "local" if trust == "this machine" else main)
    verdict = await look(services, rollout, pause=0)
    assert verdict is not None
    assert verdict.action is Action.PROMOTE


async def test_an_exposure_is_of_the_key_that_gave_the_feedback(
    services: Services, there: TwoReleases
) -> None:
    asker = await key_id(services, there.domain, "shop")
    giver = await key_id(services, there.domain, "mallory")

    def by(key: str, owner: str) -> Context:
        caller = Caller(owner, key, (there.domain,), Grants())
        return granted(Context(domain=there.domain), caller.as_user())

    ids = []
    for n in range(2):
        made = await recommend(by(asker, "shop"), FILM_IDS[:2], user=f"viewer-{n}")
        ids.append(made.recommendation_id)
    await give_feedback(by(giver, "mallory"), ids[0], None)
    async with services.engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT recommendation_id::text, source FROM re2llm.exposure")
        )
        sources = {row[0]: row[1] for row in rows}
    assert (sources[ids[0]], sources[ids[1]]) == (giver, asker)


async def test_a_person_is_one_by_whatever_key_of_an_owner(
    services: Services, there: TwoReleases
) -> None:
    """Feedback by another key of the shop makes no second person of who gave it."""
    keys = [await key_id(services, there.domain, "shop") for _ in range(2)]
    await key_id(services, there.domain, "partner")
    rollout = await live_id(services, there)
    for _ in range(2):
        await fill(services, rollout, 0, canary=True, n=30, mean=0.5, source=keys[0])
    async with services.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE re2llm.exposure SET person = 'same', source = CASE WHEN reward > 0.5 "
                "THEN :one ELSE :other END"
            ),
            {"one": keys[0], "other": keys[1]},
        )
        used = await connection.scalar(text("SELECT count(DISTINCT source) FROM re2llm.exposure"))
    shown = await show_canary(Context(), domain=there.domain)
    assert (used, shown.canary_counts.people, shown.canary_counts.exposures) == (2, 1, 60)
