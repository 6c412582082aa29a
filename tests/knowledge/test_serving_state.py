"""What serves a domain is read by one statement, and as it is at that moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge import domains
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.fusions import store_fusions
from re2llm.knowledge.hint_store.stats import best_measured
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.rollouts.rollouts import latest_rollout
from re2llm.knowledge.schema.tables import DomainRow, HintStatsRow, ReleaseRow
from re2llm.knowledge.served import active_release_number
from re2llm.knowledge.serving_state import ServingQuery, ServingState, serving_state
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.releases.rollouts import start_canary
from re2llm.policies.rollout.plan import Plan
from re2llm.records import Item
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import FILM_IDS, TwoReleases, two_releases
from sqlalchemy import event, insert, update

MODEL = PromptedModel("model-a", "1")
FUSIONS = {"none": {"weight": 0.5}, "ppo": {"weight": [1, None]}}


@pytest_asyncio.fixture
async def there(services: Services, domain: str) -> AsyncIterator[TwoReleases]:
    """Two releases, the first of them active, and stats of one model."""
    sessions = simulate_sessions(20, seed=1)
    await load_domain(services, domain, sample_items(), [lambda _: sessions])
    made = await two_releases(services, domain)
    stats = {"trials": 40, "gain_error": 0.01, "helped": 9, "harmed": 1}
    stats |= {"domain_id": made.domain_id, **MODEL.columns}
    rows = [
        {"hint_id": hint, "mean_gain": gain, **stats}
        for hint, gain in zip(made.hints, (0.1, 0.2), strict=True)
    ]
    async with services.engine.begin() as connection:
        await connection.execute(insert(HintStatsRow), rows)
        await store_fusions(connection, made.domain_id, MODEL, FUSIONS)
    yield made


async def read(services: Services, domain: str, **asked: Any) -> ServingState:
    wanted = {"prompted_model": MODEL, "best": False, **asked}
    async with services.engine.connect() as connection:
        return await serving_state(connection, ServingQuery(domain, **wanted))


async def test_it_is_what_each_part_says_by_itself(services: Services, there: TwoReleases) -> None:
    await start_canary(Context(), 2, domain=there.domain, plan=Plan(steps=(10, 100)))
    found = await read(services, there.domain, best=True)
    async with services.engine.connect() as connection:
        assert found.domain == await find_domain(connection, there.domain)
        assert found.release == await active_release_number(connection, there.domain_id) == 1
        assert found.rollout == await latest_rollout(connection, there.domain_id) is not None
        best = await best_measured(connection, there.domain_id, MODEL)
    assert found.best == best is not None
    assert best is not None
    assert best.id == there.hints[1]
    assert found.fusions == FUSIONS
    other = await read(
        services, there.domain, best=True, prompted_model=replace(MODEL, prompt_version="2")
    )
    assert (other.best, other.fusions, other.release) == (None, {}, 1)


async def test_the_best_hint_is_looked_for_where_it_is_needed(
    services: Services, there: TwoReleases
) -> None:
    assert (await read(services, there.domain)).best is None  # the release chooses
    async with services.engine.begin() as connection:
        await connection.execute(
            update(ReleaseRow)
            .where(ReleaseRow.domain_id == there.domain_id)
            .values(status="inactive")
        )
    found = await read(services, there.domain)
    assert (found.release, found.rollout) == (None, None)
    assert found.best is not None
    assert found.best.id == there.hints[1]


async def test_a_domain_that_the_caller_may_not_know_of_does_not_exist(
    services: Services, there: TwoReleases
) -> None:
    query = ServingQuery(there.domain, MODEL, best=False)
    async with services.engine.connect() as connection:
        for names in (frozenset[str](), frozenset({there.domain[:-1]})):
            with pytest.raises(InputError, match="There is no domain"):
                await serving_state(connection, query, among=names)
        assert (await serving_state(connection, query, among={there.domain})).release == 1
        for name in (" ", "a\0b", "\ud800"):
            with pytest.raises(InputError, match="There is no domain"):
                await serving_state(connection, ServingQuery(name, MODEL, best=False))


async def test_a_request_reads_it_once_and_sees_what_changed_before(
    services: Services, there: TwoReleases
) -> None:
    said: list[str] = []

    async def asked(**options: Any) -> Any:
        said.clear()
        return await recommend(Context(domain=there.domain, **options), FILM_IDS[:2])

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    await asked(fuse="llm")  # fills the caches
    event.listen(services.engine.sync_engine, "before_cursor_execute", note)
    try:
        first = await asked(fuse="llm")
        # What serves, the release's hints, and the log.
        assert [statement.split()[0] for statement in said] == ["SELECT"] * 2 + ["INSERT"]
        async with services.engine.begin() as connection:
            await connection.execute(
                update(ReleaseRow)
                .where(ReleaseRow.domain_id == there.domain_id)
                .values(status="inactive")
            )
        second = await asked(fuse="llm")
        assert len(said) == 2
    finally:
        event.remove(services.engine.sync_engine, "before_cursor_execute", note)
    assert (first.hint.policy, second.hint.policy) == ("ppo:1", "static")


async def test_a_restored_database_gives_no_revision_again(
    services: Services, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has read the lost revision must not take the next one for it."""
    revisions: list[int] = []
    backup = None
    for title in ("Alien", "Brazil", "Casablanca"):
        if title == "Casablanca":  # what loaded Brazil is lost
            async with services.engine.begin() as connection:
                restored = update(DomainRow).where(DomainRow.name == domain)
                await connection.execute(restored.values(revision=backup))
            # As a restore takes some seconds.
            since = domains._SECONDS_TO_2020 - 5
            monkeypatch.setattr(domains, "_SECONDS_TO_2020", since)
        await load_domain(services, domain, [Item(title.lower(), title)], [])
        async with services.engine.connect() as connection:
            revisions.append((await find_domain(connection, domain)).revision)
        backup = revisions[0]
    assert len(set(revisions)) == 3
    assert revisions == sorted(revisions)
