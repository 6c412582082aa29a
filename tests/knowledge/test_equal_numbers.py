"""What a domain knows of its hints does not depend on another domain with the same numbers."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from re2llm.knowledge.domains import Domain, claim_domain, delete_domain
from re2llm.knowledge.engine import make_engine
from re2llm.knowledge.forgetting import clear_stats, hints_tried_on
from re2llm.knowledge.hint_store import lineage, shortlist
from re2llm.knowledge.hint_store import pages as hint_pages
from re2llm.knowledge.hint_store import stats as hint_stats
from re2llm.knowledge.hint_store import trials_of_hint as hint_trials
from re2llm.knowledge.hint_store.decisions import (
    StatusChange,
    apply_change,
    hint_uses,
    kept_hints,
    own_sessions,
)
from re2llm.knowledge.hint_store.hints import add_hint, hint_key, list_hints
from re2llm.knowledge.hint_store.merged import keys_by_hint, keys_of
from re2llm.knowledge.hint_store.reflections import (
    Proposal,
    Reflection,
    store_proposal,
    store_reflection,
)
from re2llm.knowledge.hint_store.trials import Trial, store_trial
from re2llm.knowledge.hint_store.uses import count_up, count_uses
from re2llm.knowledge.log.recommendations import Recommendation, log_recommendations
from re2llm.knowledge.migrate import upgrade
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.retention import Scope, delete_log, hold_domains
from re2llm.knowledge.sessions.training_sessions import observe_session, session_keys
from re2llm.records import Session
from re2llm.settings import Settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

MODELS = ("m", "n")
HINTS = 6
ITEMS = """
    INSERT INTO re2llm.item (domain_id, id, title, attributes, embedding)
    SELECT :domain, n, 'Thing ' || n, '{}', array_fill(0.1::real, ARRAY[384])::vector
    FROM generate_series(0, 14) AS n
"""
Open = Callable[[], AsyncEngine]


@pytest.fixture(scope="module")
def migrated(template: str) -> str:
    upgrade(template)
    return template


@pytest_asyncio.fixture
async def another(
    migrated: str, copied: Callable[[], str], settings: Settings
) -> AsyncIterator[Open]:
    """What opens one more empty database."""
    opened: list[AsyncEngine] = []

    def open_one() -> AsyncEngine:
        opened.append(make_engine(copied(), settings))
        return opened[-1]

    yield open_one
    for engine in opened:
        await engine.dispose()


class Shop:
    """A domain whose steps come from a seed, in one order, in whatever database."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = engine
        self._rng = random.Random(name)
        self.name = name
        self.domain: Domain
        self.sessions: list[int] = []
        self.steps = [
            *([self.hint] * HINTS + [self.retire] * 2),
            *([self.trial] * 30),
            self.stats,
            *([self.proposal] * 4),
            *([self.answer] * 15),
            self.count,
            *([self.answer] * 8),
            self.merge,
            self.retire,
            self.stats,
            self.version,
            self.purge,
            self.forget,
        ]

    async def open(self) -> None:
        async with self._engine.begin() as connection:
            self.domain = await claim_domain(connection, self.name, "e")
            await connection.execute(text(ITEMS), {"domain": self.domain.id})
            for n in range(12):
                session = Session((f"{n}", f"{n + 1}"), f"{n + 2}")
                await observe_session(connection, self.domain, session, source=self.name)
            self.sessions = await session_keys(connection, self.domain.id)

    async def run(self, step: Callable[[AsyncConnection], Any]) -> None:
        async with self._engine.begin() as connection:
            await step(connection)

    def _text(self, number: int) -> str:
        return f"Prefer what is {self.name} {number}."

    async def hint(self, connection: AsyncConnection) -> None:
        there = len(await list_hints(connection, self.domain.id))
        vector = np.random.default_rng(self._rng.randrange(10**6)).normal(size=384)
        given = (self.domain.id, self._text(there + 1), vector.astype(np.float32))
        added = [await add_hint(connection, *given, provenance={"n": there}) for _ in range(2)]
        assert added == [(there + 1, True), (there + 1, False)]  # a repeat uses up no number

    async def trial(self, connection: AsyncConnection) -> None:
        number, model = self._rng.randrange(HINTS + 1), self._rng.choice(MODELS)
        session, rank = self._rng.choice(self.sessions), self._rng.randint(1, 12)
        hint = self._text(number) if number else None
        for key, place in ((None, 5), (hint, rank)):
            trial = Trial(session, hint_key(key), model, "v", place, "")
            await store_trial(connection, self.domain.id, trial)

    async def stats(self, connection: AsyncConnection) -> None:
        for model in MODELS:
            prompted = PromptedModel(model, "v")
            await hint_stats.refresh_stats(connection, self.domain.id, prompted, self.sessions)

    async def proposal(self, connection: AsyncConnection) -> None:
        first, other = self._rng.sample(self.sessions, 2)
        told = Reflection(first, f"{uuid.uuid4()}", "v", 9, self.name, [], {other: 8})
        reflection = await store_reflection(connection, self.domain.id, told)
        made = Proposal(self.name, "stored", self.name, self._rng.randint(1, HINTS))
        await store_proposal(connection, self.domain.id, reflection, made)

    async def answer(self, connection: AsyncConnection) -> None:
        given = self._rng.sample(range(1, HINTS + 1), 2)
        made = Recommendation(
            *(self.domain.id, [], [], [], "ppo:1", given[0], 1.0, "m", "v", [], 1.0),
            source=self.name,
            hint_ids=given if self._rng.random() < 0.3 else (),
        )
        await log_recommendations(connection, [made])
        age = dt.timedelta(minutes=self._rng.choice([1, 90, 500]))
        older = text("UPDATE re2llm.recommendation SET created_at = now() - :age WHERE id = :id")
        await connection.execute(older, {"age": age, "id": made.id})

    async def count(self, connection: AsyncConnection) -> None:
        await count_up(connection, self.domain.id)

    async def merge(self, connection: AsyncConnection) -> None:
        first, second, third = self._rng.sample(range(1, HINTS + 1), 3)
        for gone, stays in ((first, second), (second, third)):
            await self._change(connection, gone, "merged", stays)

    async def retire(self, connection: AsyncConnection) -> None:
        await self._change(connection, self._rng.randint(1, HINTS), "harms")

    async def _change(
        self, connection: AsyncConnection, hint: int, verdict: str, stays: int | None = None
    ) -> None:
        change = StatusChange(hint, verdict, "active", "retired", self.name, {}, stays)
        await apply_change(connection, self.domain.id, change, PromptedModel("m", "v"))

    async def version(self, connection: AsyncConnection) -> None:
        origin = {"version_of": self._rng.randint(1, HINTS), "sessions": self.sessions[:2]}
        given = (self.domain.id, self._text(HINTS + 1), np.ones(384, dtype=np.float32))
        await add_hint(connection, *given, provenance=origin)

    async def purge(self, connection: AsyncConnection) -> None:
        cut = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=300)
        scope = Scope(before=cut, sources=[self.name])
        await hold_domains(connection, scope, [])
        await delete_log(connection, scope)

    async def forget(self, connection: AsyncConnection) -> None:
        tried = await hints_tried_on(connection, self.domain, self.sessions[:1])
        await clear_stats(connection, self.domain, [hint.id for hint in tried][:2])

    async def known(self) -> dict[str, Any]:
        """Return all that any page, command or policy reads of the hints."""
        async with self._engine.connect() as connection:
            return await everything(connection, self.domain, self.sessions)


async def everything(
    connection: AsyncConnection, domain: Domain, sessions: list[int]
) -> dict[str, Any]:
    id_, prompted = domain.id, PromptedModel("m", "v")
    models = [PromptedModel(model, "v") for model in MODELS]
    hints = await list_hints(connection, id_)
    numbers = [hint.id for hint in hints]
    sorts: tuple[hint_pages.HintSort, ...] = ("age", "gain", "uses", "trials")
    how: dict[str, Any] = {"status": None, "words": "", "descending": True, "skip": 0, "count": 50}
    vector = np.ones(384, dtype=np.float32)
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    found: dict[str, Any] = {
        "hints": hints,
        "measured": [await hint_stats.measured_hints(connection, id_, m) for m in models],
        "best": [await hint_stats.best_measured(connection, id_, m) for m in models],
        "pages": [
            await hint_pages.page_of_hints(connection, id_, prompted, sort=sort, **how)
            for sort in sorts
        ],
        "ones": [await hint_pages.hint_on_page(connection, id_, prompted, n) for n in numbers],
        "versions": [await hint_pages.versions_of(connection, id_, n) for n in numbers],
        "stories": [await lineage.hint_lineage(connection, domain, n) for n in numbers],
        "trials": [
            await hint_trials.trials_of_hint(connection, domain, n, skip=0, count=99)
            for n in numbers
        ],
        "kept": [
            (one.hint, one.embedding.tolist(), one.keys)
            for one in await kept_hints(connection, id_)
        ],
        "own": await own_sessions(connection, id_),
        "keys": await keys_by_hint(connection, id_),
        "merged": [await keys_of(connection, id_, hint_key(hint.text)) for hint in hints],
        "uses": await count_uses(connection, id_, numbers),
        "given": await hint_uses(connection, id_, since),
        "tried": await hints_tried_on(connection, domain, sessions),
        "shortlist": await shortlist.shortlist(connection, id_, vector, prompted, count=3),
        "active": await shortlist.active_among(connection, id_, numbers, prompted),
        "embeddings": {
            n: vector.tolist()
            for n, vector in (await shortlist.fetch_embeddings(connection, id_, numbers)).items()
        },
    }
    return plain(found, {key: place for place, key in enumerate(sessions)})


def plain(value: Any, sessions: dict[int, int], name: str = "") -> Any:
    """Return a value without times, and with the place of each session for its key."""
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, dict):
        dropped = {"created_at", "model"}
        return {k: plain(v, sessions, str(k)) for k, v in value.items() if k not in dropped}
    if isinstance(value, (list, tuple)):
        return [plain(one, sessions, name.removesuffix("s")) for one in value]
    if isinstance(value, float):
        return round(value, 9)  # rows come in any order, and so does their sum
    if isinstance(value, (set, frozenset)):
        return sorted(sessions[one] for one in value)
    return sessions[value] if name == "session" and value is not None else value


@pytest.mark.long
async def test_a_domain_among_others_is_as_if_it_was_alone(another: Open) -> None:
    both, names = another(), ("amber", "cobalt")
    together = [Shop(both, name) for name in names]
    alone = [Shop(another(), name) for name in names]
    for shop in (*together, *alone):
        await shop.open()
    order = random.Random(5)
    left = {shop.name: list(shop.steps) for shop in together}
    while any(left.values()):
        shop = order.choice([one for one in together if left[one.name]])
        await shop.run(left[shop.name].pop(0))
    for shop in alone:
        for step in shop.steps:
            await shop.run(step)
    known = [await shop.known() for shop in together]
    expected = [await shop.known() for shop in alone]
    for found, wanted in zip(known, expected, strict=True):
        for what, value in wanted.items():
            assert found[what] == value, what
    assert all(known[0][what] != value for what, value in known[1].items())  # mix-ups would show
    async with both.begin() as connection:
        await delete_domain(connection, together[1].domain)
    assert await together[0].known() == known[0]


async def test_numbers_have_no_gap_and_no_repeat_whoever_stores_at_once(another: Open) -> None:
    engine = another()
    async with engine.begin() as connection:
        domains = [await claim_domain(connection, name, "e") for name in "ab"]

    async def store(domain: Domain, writer: int) -> list[int]:
        numbers: list[int] = []
        for n in range(5):
            async with engine.begin() as connection:
                given = (domain.id, f"Hint {writer} {n}.", np.ones(384, dtype=np.float32))
                number, new = await add_hint(connection, *given, provenance={})
                await asyncio.sleep(0.002)
            assert new
            numbers.append(number)
        return numbers

    stored = await asyncio.gather(*(store(domain, n) for n in range(4) for domain in domains))
    assert all(numbers == sorted(numbers) for numbers in stored)
    for place in range(2):
        assert sorted(n for numbers in stored[place::2] for n in numbers) == list(range(1, 21))
