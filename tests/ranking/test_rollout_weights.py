"""Rollouts where the model's opinion has a learned weight: each release has one of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.fusions import store_fusions
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.releases.rollouts import start_canary
from re2llm.policies.fusion import Fusion
from re2llm.policies.rollout.decision import Action
from re2llm.policies.rollout.plan import Plan
from re2llm.ranking.rollouts import look
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from rollouts import FILM_IDS, TwoReleases, fill, live_id, two_releases
from sqlalchemy import text

PEOPLE = 12
WEIGHTS = {"no": 0.0, "little": 0.2, "much": 0.5}


@pytest_asyncio.fixture
async def there(
    services: Services, domain: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TwoReleases]:
    """Two releases for answers that are fused with the first stage."""
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(20, seed=1)])
    monkeypatch.setattr(services.watching, "send", lambda *_: None)
    made = await two_releases(services, domain)
    options = await resolve_context(Context(domain=domain, fuse="learned"))
    async with services.engine.begin() as connection:
        await connection.execute(
            text("UPDATE re2llm.policy_release SET prompt_version = :new WHERE domain_id = :id"),
            {"new": options.prompt_version, "id": made.domain_id},
        )
    yield made


async def weigh(services: Services, there: TwoReleases, control: Fusion, canary: Fusion) -> None:
    options = await resolve_context(Context(domain=there.domain, fuse="learned"))
    learned = {"ppo:1": control.as_dict(), "ppo:2": canary.as_dict()}
    async with services.engine.begin() as connection:
        await store_fusions(connection, there.domain_id, options.prompted_model, learned)


async def same_policy(services: Services, there: TwoReleases, favourite: int) -> None:
    """Let both releases give the hint of one of them."""
    async with services.engine.begin() as connection:
        copied = text(
            "UPDATE re2llm.policy_release SET weights = (SELECT weights FROM re2llm.policy_release "
            "WHERE domain_id = :id AND number = :number) WHERE domain_id = :id"
        )
        await connection.execute(copied, {"id": there.domain_id, "number": favourite})


async def served(services: Services, there: TwoReleases, **options: Any) -> list[Any]:
    """Return the exposures of some people, on both sides."""
    plan = Plan(steps=(50, 100), hold=100)
    await start_canary(Context(fuse="learned"), 2, domain=there.domain, plan=plan)
    context = Context(domain=there.domain, fuse="learned", **options)
    for n in range(PEOPLE):
        await recommend(context, FILM_IDS[:2], candidates=FILM_IDS[2:14], user=f"viewer-{n}")
    query = text(
        "SELECT e.*, r.policy, r.hint_id, r.probability AS hint_probability, r.flags "
        "FROM re2llm.exposure e JOIN re2llm.recommendation r ON r.id = e.recommendation_id "
        "WHERE e.rollout_id = :id"
    )
    async with services.engine.connect() as connection:
        found = await connection.execute(query, {"id": await live_id(services, there)})
        rows = list(found.mappings())
    assert {row["canary"] for row in rows} == {False, True}
    return rows


@pytest.mark.parametrize(
    ("control", "canary", "same_hint", "differs"),
    [
        ("little", "little", False, True),
        ("little", "little", True, False),
        ("little", "much", True, True),
        ("much", "no", True, True),
        ("no", "much", False, True),
        ("no", "no", False, False),
    ],
)
async def test_releases_differ_where_they_may_rank_differently(
    services: Services,
    there: TwoReleases,
    control: str,
    canary: str,
    *,
    same_hint: bool,
    differs: bool,
) -> None:
    """Whichever serves says the same."""
    if same_hint:
        await same_policy(services, there, 1)
    weights = [Fusion(WEIGHTS[name], (), 300) for name in (control, canary)]
    await weigh(services, there, *weights)
    rows = await served(services, there)
    assert {row["differs"] for row in rows} == {differs}
    assert {row["both_ask"] for row in rows} == {"no" not in (control, canary)}


@pytest.mark.parametrize(
    ("places", "differs"), [((0.1, 0.5), True), ((0.503, 0.098), False), ((0.5,), True)]
)
async def test_the_same_weight_clearly_calibrated_otherwise_ranks_otherwise(
    services: Services, there: TwoReleases, places: tuple[float, ...], *, differs: bool
) -> None:
    """Each training measures the places anew, so they are never quite the same."""
    await same_policy(services, there, 1)
    await weigh(services, there, Fusion(0.2, (0.5, 0.1), 300), Fusion(0.2, places, 300))
    assert {row["differs"] for row in await served(services, there)} == {differs}


@pytest.mark.parametrize("weight", [0.0, 0.2])
async def test_whether_a_release_hints_is_its_own(
    services: Services, there: TwoReleases, weight: float
) -> None:
    """Release 2 gives no hint and has no weight: that which was measured without one is its."""
    async with services.engine.begin() as connection:
        await connection.execute(
            text("UPDATE re2llm.hint SET status = 'retired' WHERE domain_id = :id AND id = :hint"),
            {"id": there.domain_id, "hint": there.hints[1]},
        )
    options = await resolve_context(Context(domain=there.domain, fuse="learned"))
    learned = {"ppo:1": 0.2, "none": weight}
    async with services.engine.begin() as connection:
        stored = {name: Fusion(one, (), 300).as_dict() for name, one in learned.items()}
        await store_fusions(connection, there.domain_id, options.prompted_model, stored)
    rows = await served(services, there)
    assert {row["both_ask"] for row in rows} == {weight > 0}
    assert {row["differs"] for row in rows} == {True}


async def test_a_hint_that_one_release_alone_lets_the_model_read_has_its_true_probability(
    services: Services, there: TwoReleases
) -> None:
    """Both would choose it; only the new release has it read."""
    await same_policy(services, there, 1)
    await weigh(services, there, Fusion(0.0, (), 300), Fusion(0.2, (), 300))
    for row in await served(services, there):
        assert row["hint_id"] == (there.hints[0] if row["canary"] else None)
        assert row["hint_probability"] == pytest.approx(0.5)


@pytest.mark.parametrize("both_ask", [False, True])
async def test_time_cost_and_failing_models_compare_only_where_both_releases_ask(
    services: Services, there: TwoReleases, *, both_ask: bool
) -> None:
    """A release that makes the model worth asking is not taken back for asking it."""
    plan = Plan(steps=(50, 100), hold=100)
    await start_canary(Context(fuse="learned"), 2, domain=there.domain, plan=plan)
    rollout = await live_id(services, there)
    await fill(services, rollout, 0, canary=False, n=300, mean=0.1)
    await fill(services, rollout, 0, canary=True, n=300, mean=0.5)
    async with services.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE re2llm.exposure SET both_ask = :both, latency = CASE WHEN canary THEN "
                "6.2 ELSE 0 END, cost = CASE WHEN canary THEN 7.3 ELSE 0 END, "
                "fallback = canary AND get_byte(person, 0) < 26 WHERE rollout_id = :id"
            ),
            {"both": both_ask, "id": rollout},
        )
    verdict = await look(services, rollout, pause=0)
    assert verdict is not None
    if both_ask:
        assert verdict.action is Action.TAKE_BACK
        return
    assert (verdict.action, verdict.reason) == (Action.PROMOTE, "better")
    guards = verdict.figures["guards"]
    assert {guards[name]["n"] for name in ("fallbacks", "latency", "cost")} == {0}
