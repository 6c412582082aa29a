"""What is counted once gives the same sums as the whole log, however it is cut."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from re2llm.knowledge.domains import find_domain, list_domains
from re2llm.knowledge.hint_store import pages as hint_pages
from re2llm.knowledge.hint_store import uses as hint_uses
from re2llm.knowledge.hint_store.uses import count_up, count_uses, latest_uses
from re2llm.knowledge.log.cost_sums import (
    CostPart,
    close_days,
    sum_calls,
    sum_calls_by_each,
)
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.retention import Scope, delete_log
from re2llm.operations import counted_uses
from re2llm.operations.hints.manage import add_hint
from re2llm.operations.hints.pages import hint_page
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

CALL = """
    INSERT INTO re2llm.llm_call (key, command, purpose, model, method, outcome, requests, hits,
        tokens_in, tokens_out, tokens_cached, estimated, latency_ms, cost, saved, api_key_id,
        created_at)
    VALUES ('x', :command, 'rank', :model, '', :outcome, :requests, :hits, :tokens_in, 7,
        :tokens_cached, :estimated, 1, :cost, 0.5, :key, :at)
"""
ANSWER = """
    INSERT INTO re2llm.recommendation (id, domain_id, history, candidates, ranking, policy, hint_id,
        hint_ids, probability, model, prompt_version, flags, latency_ms, tokens, created_at)
    VALUES (:id, :domain, '{}', '{}', '{}', 'best', :hint, :hints, 1, 'm', 'v', '{}', 1, '{}', :at)
"""
NOW = dt.datetime.now(dt.UTC)


def moments(rng: random.Random) -> list[dt.datetime]:
    """Return moments of some days, also at their very ends, and of just now."""
    midnights = [
        NOW.replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=n)
        for n in range(5)
    ]
    ends = [one - dt.timedelta(microseconds=1) for one in midnights]
    drawn = [NOW - dt.timedelta(hours=rng.uniform(0, 130)) for _ in range(60)]
    return [*midnights, *ends, *drawn, NOW]


def calls(rng: random.Random) -> list[dict[str, Any]]:
    mark = uuid.uuid4().hex[:8]
    return [
        {
            "command": f"{mark}-{rng.choice('ab')}",
            "model": rng.choice(["large", "small"]),
            "outcome": rng.choice(["ok", "misshapen", "timeout"]),
            "requests": rng.randint(1, 3),
            "hits": rng.choice([0, 0, 2]),
            "tokens_in": rng.randint(1, 99),
            "tokens_cached": rng.randint(0, 1),
            "estimated": rng.random() < 0.2,
            "cost": rng.choice([None, 0.25]),
            "key": rng.choice([None, "k1", "k2"]),
            "at": at,
        }
        for at in moments(rng)
    ]


def summed(rows: Sequence[dict[str, Any]], by: Sequence[CostPart]) -> dict[Any, dict[str, Any]]:
    """Sum rows up by hand."""
    found: dict[Any, dict[str, Any]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        day = row["at"].astimezone(dt.UTC).date().isoformat()
        parts = {**row, "day": day, "key": row["key"] or ""}
        sums = found[tuple(parts[name] for name in by)]
        sums["questions"] += 1
        sums["llm_calls"] += row["requests"]
        sums["failed"] += row["outcome"] == "timeout"
        sums["cached"] += row["hits"]
        sums["cost"] += row["cost"] or 0
        sums["unpriced"] += row["cost"] is None
        sums["unpriced_in"] += row["tokens_in"] if row["cost"] is None else 0
        for name in ("tokens_in", "tokens_cached"):
            sums[name] += row[name]
        sums["saved"] += 0.5
        sums["estimated"] = bool(sums["estimated"]) | row["estimated"]
    return {name: dict(sums) for name, sums in found.items()}


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
async def test_ended_days_are_summed_up_once_and_sums_stay_the_same(
    services: Services, zone: str
) -> None:
    rng = random.Random(zone)
    rows = calls(rng)
    mine = rows[0]["command"].split("-")[0]
    cases: list[tuple[CostPart, ...]] = [
        ("day", "command", "model"),
        ("key", "command"),
        ("command",),
        ("key", "day", "command"),
    ]
    since = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=2)
    async with services.engine.connect() as connection:
        await connection.execute(text(f"SET LOCAL TIME ZONE '{zone}'"))
        await connection.execute(text("DELETE FROM re2llm.llm_day"))
        await connection.execute(text(CALL), rows)
        for closed in (False, True, True):
            if closed:
                await close_days(connection)
            for start in (None, since):
                for key in (None, "k1"):
                    for by in cases:
                        kept = [
                            row
                            for row in rows
                            if (start is None or row["at"] >= start) and key in {None, row["key"]}
                        ]
                        found = {
                            tuple(row[name] for name in by): dict(row)
                            for row in await sum_calls(connection, start, key=key, by=by)
                            if row["command"].startswith(mine)
                        }
                        expected = summed(kept, by)
                        assert set(found) == set(expected)
                        for name, sums in expected.items():
                            assert {one: found[name][one] for one in sums} == pytest.approx(sums)
        each = await sum_calls_by_each(connection, since, key="k1")
        for part, found_rows in each.items():
            by = (part,) if part == "model" else (part, "model")
            alone = await sum_calls(connection, since, key="k1", by=by)
            told = lambda row, by=by: tuple(row[name] for name in by)  # noqa: E731
            assert sorted(found_rows, key=told) == sorted(alone, key=told), part
        held = text("SELECT sum(calls), max(day) FROM re2llm.llm_day WHERE command LIKE :mine")
        many, last = (await connection.execute(held, {"mine": f"{mine}%"})).one()
        assert 0 < many < len(rows), "today's calls are not closed"
        assert last < NOW.date()
        hit = text("UPDATE re2llm.llm_call SET hits = hits + 1 WHERE command LIKE :mine")
        await connection.execute(hit, {"mine": f"{mine}%"})
        again = [
            row
            for row in await sum_calls(connection, by=["command"])
            if row["command"].startswith(mine)
        ]
        assert sum(row["cached"] for row in again) == sum(row["hits"] + 1 for row in rows)
        await connection.rollback()


async def test_uses_of_hints_are_those_in_the_log_counted_or_not(
    services: Services, load: Any, domain: str
) -> None:
    rng = random.Random(1)
    now = dt.datetime.now(dt.UTC)  # the module may have been read long ago
    await load(domain, [Item(str(n), f"Thing {n}", {}) for n in range(5)], [Session(("0",), "1")])
    texts = ["Prefer the oldest.", "Prefer the newest.", "Prefer what is loved."]
    hints = [(await add_hint(Context(domain=domain), one)).hint_id or 0 for one in texts]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)

    async def log(ages: Sequence[float]) -> list[tuple[dt.datetime, list[int]]]:
        made = [
            (now - dt.timedelta(minutes=one), rng.sample(hints, rng.randint(0, 3))) for one in ages
        ]
        # A hint that is gone by now may still stand in a set.
        rows = [
            {
                "id": uuid.uuid4(),
                "domain": found.id,
                "at": at,
                "hint": (given or [None])[0],
                "hints": [*given, 999_999] if len(given) > 1 else None,
            }
            for at, given in made
        ]
        async with services.engine.begin() as connection:
            await connection.execute(text(ANSWER), rows)
        return made

    async def total() -> int:
        async with services.engine.connect() as connection:
            (listed,) = await list_domains(connection, name=domain)
        return listed["recommendations"]

    async def same(logged: Sequence[tuple[dt.datetime, list[int]]]) -> None:
        expected = Counter(hint for _, given in logged for hint in given)
        async with services.engine.connect() as connection:
            uses = await count_uses(connection, found.id, hints)
        assert uses == {hint: count for hint, count in expected.items() if count}
        assert await total() == len(logged)

    async def count() -> None:
        async with services.engine.begin() as connection:
            await count_up(connection, found.id)

    logged = await log([rng.uniform(0, 5_000) for _ in range(40)])
    await same(logged)
    await count()
    await same(logged)
    logged += await log([0, 1, 2])
    await same(logged)
    await count()  # it was done within the hour
    async with services.engine.begin() as connection:
        back = text(
            "UPDATE re2llm.domain SET uses_until = uses_until - interval '2 hours' "
            "WHERE id = :id RETURNING uses_until"
        )
        until = await connection.scalar(back, {"id": found.id})
        again = [row for row in logged if until <= row[0] < now - dt.timedelta(minutes=4)]
        less = text(
            "UPDATE re2llm.hint_use SET uses = uses - :n WHERE domain_id = :id AND hint_id = :hint"
        )
        for hint, n in Counter(one for _, given in again for one in given).items():
            await connection.execute(less, {"n": n, "id": found.id, "hint": hint})
        fewer = text("UPDATE re2llm.domain SET answers = answers - :n WHERE id = :id")
        await connection.execute(fewer, {"n": len(again), "id": found.id})
    await same(logged)
    await count()
    await same(logged)
    cut = now - dt.timedelta(minutes=1_000)
    async with services.engine.begin() as connection:
        await delete_log(connection, Scope(before=cut, sources=["local"]))
    logged = [row for row in logged if row[0] >= cut]
    assert 3 < len(logged) < 43
    await same(logged)


async def test_answers_that_are_counted_up_meanwhile_count_once(
    services: Services, load: Any, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(domain, [Item(str(n), f"Thing {n}", {}) for n in range(5)], [Session(("0",), "1")])
    hint = (await add_hint(Context(domain=domain), "Prefer the oldest.")).hint_id or 0
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        rows = [
            {"id": uuid.uuid4(), "domain": found.id, "hint": hint, "hints": None, "at": at}
            for at in (NOW - dt.timedelta(minutes=90), NOW - dt.timedelta(minutes=30))
        ]
        await connection.execute(text(ANSWER), rows)

    async def counted_up_after(connection: Any, domain_id: int) -> Any:
        latest = await latest_uses(connection, domain_id)
        async with services.engine.begin() as second:
            await count_up(second, domain_id)
        return latest

    monkeypatch.setattr(hint_uses, "latest_uses", counted_up_after)
    monkeypatch.setattr(hint_pages, "latest_uses", counted_up_after)
    async with services.engine.connect() as connection:
        assert await count_uses(connection, found.id, [hint]) == {hint: 2}
    async with services.engine.begin() as connection:
        fresh = "UPDATE re2llm.domain SET uses_until = NULL, answers = 0 WHERE id = :id"
        await connection.execute(text(fresh), {"id": found.id})
        gone = text("DELETE FROM re2llm.hint_use WHERE domain_id = :id")
        await connection.execute(gone, {"id": found.id})
    async with services.engine.connect() as connection:
        page = await hint_pages.page_of_hints(
            connection,
            found.id,
            PromptedModel("offline", "v"),
            status=None,
            words="",
            sort="uses",
            descending=True,
            skip=0,
            count=5,
        )
    assert [one.uses for one in page] == [2]


async def test_an_answer_that_serves_again_changes_no_index(services: Services) -> None:
    """Each answer from the cache counts itself: an index of that count would be rewritten."""
    hot = text("SELECT pg_stat_get_xact_tuples_hot_updated('re2llm.llm_call'::regclass)")
    async with services.engine.connect() as connection:
        (call,) = calls(random.Random(2))[:1]
        await connection.execute(text(CALL), [call])
        again = text("UPDATE re2llm.llm_call SET hits = hits + 1 WHERE command = :command")
        before = await connection.scalar(hot) or 0
        for _ in range(5):  # the first may find its page full
            await connection.execute(again, {"command": call["command"]})
        assert (await connection.scalar(hot) or 0) - before >= 4
        await connection.rollback()


async def test_a_page_of_hints_writes_only_when_a_count_is_due(
    services: Services, load: Any, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(domain, [Item(str(n), f"Thing {n}", {}) for n in range(5)], [Session(("0",), "1")])
    written: list[int] = []

    async def counted_up(connection: Any, domain_id: int) -> None:
        written.append(domain_id)
        await count_up(connection, domain_id)

    monkeypatch.setattr(counted_uses, "count_up", counted_up)
    for _ in range(3):
        await hint_page(Context(domain=domain))
    assert len(written) == 1
    async with services.engine.begin() as connection:
        past = "UPDATE re2llm.domain SET uses_until = now() - interval '61 minutes' WHERE id = :id"
        await connection.execute(text(past), {"id": written[0]})
    await hint_page(Context(domain=domain))
    assert len(written) == 2
