"""What a domain has learnt, in a form that two databases can be compared by."""

from __future__ import annotations

from typing import Any

import psycopg
from re2llm.operations.learning.learner import Learner
from re2llm.operations.sessions.selection import selected_sessions
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context

Learnt = dict[str, list[tuple[Any, ...]]]

_PLACED = (
    "WITH d AS (SELECT id FROM re2llm.domain WHERE name = %(domain)s), placed AS (SELECT id, "
    "row_number() OVER (ORDER BY id) AS place FROM re2llm.session "
    "WHERE domain_id = (SELECT id FROM d)) "
)
_QUERIES = {
    "hints": "SELECT h.text, h.status, h.provenance - ARRAY['session', 'reflection'], p.place, "
    "q.place, trials, round(mean_gain::numeric, 9), round(gain_error::numeric, 9), helped, harmed "
    "FROM re2llm.hint AS h LEFT JOIN placed AS p ON p.id = (h.provenance->>'session')::int "
    "LEFT JOIN re2llm.reflection AS r ON r.id = (h.provenance->>'reflection')::int "
    "LEFT JOIN placed AS q ON q.id = r.session_id "
    "WHERE h.domain_id = (SELECT id FROM d) ORDER BY h.id",
    "proposals": "SELECT q.text, outcome, reason, verification, p.place, h.text "
    "FROM re2llm.hint_proposal AS q LEFT JOIN re2llm.reflection AS r ON r.id = reflection_id "
    "LEFT JOIN placed AS p ON p.id = r.session_id "
    "LEFT JOIN re2llm.hint AS h ON h.domain_id = q.domain_id AND h.id = hint_id "
    "WHERE q.domain_id = (SELECT id FROM d) ORDER BY q.id",
    "reflections": "SELECT p.place, model, prompt_version, rank, diagnosis, messages "
    "FROM re2llm.reflection AS r "
    "JOIN placed AS p ON p.id = session_id WHERE domain_id = (SELECT id FROM d) ORDER BY r.id",
    "trials": "SELECT p.place, encode(hint_key, 'hex'), model, prompt_version, rank, ndcg, answer, "
    "flags, tokens FROM re2llm.hint_trial JOIN placed AS p ON p.id = session_id "
    "WHERE domain_id = (SELECT id FROM d) ORDER BY p.place, hint_key, model, prompt_version",
}


def libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def knowledge(url: str, domain: str) -> Learnt:
    """Return all that a domain has learnt, without the keys that differ between databases.

    Figures are rounded: rows come in any order, and so does their sum.
    """
    with psycopg.connect(libpq(url)) as connection:
        return {
            name: connection.execute(_PLACED + sql, {"domain": domain}).fetchall()
            for name, sql in _QUERIES.items()
        }


async def sessions_left(domain: str) -> list[int]:
    """Return the keys of all sessions that are left to learn from, in the order of seed 0."""
    context = Context(domain=domain, seed=0)
    options = await resolve_context(context)
    return await Learner(context, options).unsettled(await selected_sessions(options))


def forget(url: str, domain: str) -> None:
    """Let a domain forget all that it has learnt."""
    with psycopg.connect(libpq(url)) as connection:
        for table in ("hint_proposal", "hint", "reflection", "hint_trial"):
            connection.execute(
                f"DELETE FROM re2llm.{table} "
                "WHERE domain_id = (SELECT id FROM re2llm.domain WHERE name = %s)",
                [domain],
            )


def assert_whole(learnt: Learnt) -> None:
    """Nothing is half-written: each lesson has its miss, each miss its lessons, once."""
    texts = [row[0] for row in learnt["hints"]]
    assert len(texts) == len(set(texts))
    assert all(row[3] == row[4] is not None for row in learnt["hints"])
    stored = [row for row in learnt["proposals"] if row[1] == "stored"]
    assert sorted(row[0] for row in stored) == sorted(texts)
    reflected = [row[0] for row in learnt["reflections"]]
    assert len(reflected) == len(set(reflected))
    # A miss without proposals would be one whose lessons are lost.
    assert {row[4] for row in learnt["proposals"]} == set(reflected)
    assert all(row[5] for row in learnt["proposals"] if row[1] in {"stored", "duplicate"})


def settled(learnt: Learnt) -> set[int]:
    """Return the places of the sessions that need no more learning."""
    hits = {row[0] for row in learnt["trials"] if row[1] == "" and row[4] <= 10}
    return hits | {row[0] for row in learnt["reflections"]}
