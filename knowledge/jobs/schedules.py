"""The schedules of autopilots, which stand where DBOS keeps all schedules."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SCHEMA = "re2llm_jobs"
"""DBOS's schema in the user's own database; it is made when jobs are first used."""

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('re2llm:autopilot', :domain))")
_THERE = text("SELECT to_regclass(:name) IS NOT NULL")
# Another domain may have got the name that an old schedule still goes by.
_CYCLES = text(
    "SELECT count(*) FROM re2llm_jobs.workflow_schedules WHERE schedule_name = :name "
    "AND context::jsonb ->> 'kind' = 'autopilot' "
    "AND coalesce((context::jsonb ->> 'number')::bigint, :domain) = :domain"
)


async def change_alone(connection: AsyncConnection, domain_id: int) -> None:
    """Wait until no other turns this domain's autopilot on or off.

    Args:
        connection: A connection in the transaction that changes schedule and state, so that they
            agree. Of its locks, this comes after that of an API key and before those of rows.
        domain_id: Key of the domain.
    """
    await connection.execute(_ALONE, {"domain": domain_id})


async def has_cycles(connection: AsyncConnection, domain_id: int, name: str) -> bool:
    """Return whether a schedule of this name runs the cycles of a domain's autopilot."""
    if not await connection.scalar(_THERE, {"name": f"{SCHEMA}.workflow_schedules"}):
        return False
    return bool(await connection.scalar(_CYCLES, {"name": name, "domain": domain_id}))
