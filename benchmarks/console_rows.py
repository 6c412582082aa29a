"""Made-up rows for the pages of the console, written by the database itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from re2llm.knowledge.domains import find_domain
from re2llm.llm.ranking_prompts.ranking_prompt import RANKING_PROMPT_VERSION
from re2llm.records import counted
from re2llm.runtime.services import Services
from sqlalchemy import text

from benchmarks.knowledge_base import DOMAIN, MODEL, AtOnce, grow, prepare

__all__ = ["MODEL", "fill", "registered"]

_DAYS = 90
_STATEMENTS = {
    "hints": """
        UPDATE re2llm.hint SET
            status = (ARRAY['active', 'active', 'active', 'pending', 'retired'])[1 + id % 5],
            created_at = now() - make_interval(mins => (id * 7919) % 129600),
            provenance = CASE WHEN id % 10 = 0
                THEN jsonb_build_object('source', 'person', 'version_of', id / 2)
                ELSE '{"source": "reflection"}' END
        WHERE domain_id = :domain
    """,
    "stats": """
        INSERT INTO re2llm.hint_stats (domain_id, hint_id, model, prompt_version, trials,
            mean_gain, gain_error, helped, harmed)
        SELECT domain_id, id, :model, :version, trials, mean_gain, gain_error, helped, harmed
        FROM re2llm.hint WHERE domain_id = :domain AND id % 4 <> 0
    """,
    "proposals": """
        INSERT INTO re2llm.hint_proposal (domain_id, text, outcome, reason, hint_id, verification)
        SELECT domain_id, text, 'stored', '', id, '{}' FROM re2llm.hint WHERE domain_id = :domain
    """,
    "trials": """
        INSERT INTO re2llm.hint_trial (session_id, hint_key, model, prompt_version, domain_id,
            rank, ndcg, answer, flags, tokens)
        SELECT s.id, tried.key, :model, :version, :domain, 1 + (s.id * 31 + tried.id) % 50,
            ((s.id * 31 + tried.id) % 50) / 50.0, '{"ranking": [1, 2, 3]}', '{}', '{}'
        FROM re2llm.session AS s,
            (SELECT 0 AS id, ''::bytea AS key UNION ALL
             (SELECT id, key FROM re2llm.hint WHERE domain_id = :domain ORDER BY id LIMIT 2000)
            ) AS tried
        WHERE s.domain_id = :domain
    """,
    # A few hints are given very often, as an active release does; a tenth has two.
    "recommendations": """
        INSERT INTO re2llm.recommendation (id, domain_id, history, candidates, ranking, policy,
            hint_id, hint_ids, probability, model, prompt_version, flags, latency_ms, tokens,
            created_at)
        SELECT gen_random_uuid(), :domain, listed.ids[1:3], listed.ids, listed.ids, 'ppo:1',
            CASE WHEN n % 3 > 0 THEN :first + (power(n % 997 / 997.0, 4) * :hints)::int END,
            CASE WHEN n % 3 > 0 AND n % 10 = 1 THEN ARRAY[
                :first + (power(n % 997 / 997.0, 4) * :hints)::int, :first + n % :hints] END,
            0.5, :model, :version, '{}', 100, '{"in": 900, "out": 60}',
            now() - make_interval(secs => n * (:days * 86400.0 / :many))
        FROM generate_series(1, :many) AS n, (
            SELECT array_agg(id ORDER BY id) AS ids
            FROM (SELECT id FROM re2llm.item WHERE domain_id = :domain ORDER BY id LIMIT 50) AS one
        ) AS listed
    """,
    "feedback": """
        INSERT INTO re2llm.feedback (recommendation_id, picked, reward, created_at)
        SELECT id, ranking[3], 0.5, created_at FROM re2llm.recommendation
        WHERE domain_id = :domain AND get_byte(uuid_send(id), 0) < 51
    """,
    "calls": """
        INSERT INTO re2llm.llm_call (key, command, purpose, model, method, outcome, requests, hits,
            tokens_in, tokens_out, estimated, latency_ms, cost, api_key_id, created_at)
        SELECT int4send(n), (ARRAY['recommend', 'learn', 'train', 'verify'])[1 + n % 4], 'rank',
            (ARRAY['large', 'small'])[1 + n % 2], 'json', 'ok', 1, CASE WHEN n % 20 = 0 THEN 1
            ELSE 0 END, 900, 60, false, 100, 0.001, CASE WHEN n % 3 > 0 THEN 'key-' || n % 5 END,
            now() - make_interval(secs => n * (:days * 86400.0 / :many))
        FROM generate_series(1, :many) AS n
    """,
    "jobs": """
        INSERT INTO re2llm.job (id, domain_id, kind, arguments, version, state, created_at)
        SELECT 'verify-' || n, :domain, 'verify', '{}', 'x', 'done',
            now() - make_interval(hours => n)
        FROM generate_series(1, 2000) AS n
    """,
}


def registered(services: Services) -> None:
    """Let the server use the model that all rows are about."""
    services.models.register(MODEL, AtOnce(answer=f'{{"ranking": {list(range(1, 51))}}}'))


async def fill(
    services: Services, hints: int, recommendations: int, *, say: Callable[[str], None]
) -> dict[str, Any]:
    """Fill an empty database; one that holds the domain already stays as it is.

    Args:
        services: Of the database.
        hints: How many to make up.
        recommendations: How many answered requests, and as many paid calls.
        say: Is told what is being written.

    Returns:
        `hints`, how many there are; `hint`, the id of one with many uses and trials.
    """
    async with services.engine.connect() as connection:
        there = await connection.scalar(text("SELECT count(*) FROM re2llm.domain"))
    if not there:
        say("films, release")
        await prepare(services)
        say(counted(hints, "hint"))
        await grow(services, 0, hints)
        await _write(services, recommendations, say)
    async with services.engine.connect() as connection:
        query = text("SELECT min(id) AS hint, count(*) AS hints FROM re2llm.hint")
        return dict((await connection.execute(query)).mappings().one())


async def _write(services: Services, recommendations: int, say: Callable[[str], None]) -> None:
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, DOMAIN)
        query = text("SELECT min(id) AS first, count(*) - 1 AS hints FROM re2llm.hint")
        found = dict((await connection.execute(query)).mappings().one())
    given = {
        **found,
        "domain": domain.id,
        "model": MODEL,
        "version": RANKING_PROMPT_VERSION,
        "many": recommendations,
        "days": _DAYS,
    }
    for name, statement in _STATEMENTS.items():
        say(name)
        async with services.engine.begin() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            await connection.execute(text(statement), given)
    say("vacuum")
    async with services.engine.connect() as connection:
        free = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await free.execute(text("VACUUM ANALYZE"))
