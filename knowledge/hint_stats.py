"""Sums trials up beside each hint, and retires what does measured harm."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from .hints import Hint, list_hints, set_status

_ENOUGH = 30
"""Trials below which harm may still be bad luck."""
_BEYOND_DOUBT = 1.645
"""Standard errors by which the mean gain must lie below 0."""

_SUMMED = """
    WITH gained AS (
        SELECT t.hint_key, t.ndcg - plain.ndcg AS gain
        FROM re2llm.hint_trial AS t
        JOIN re2llm.hint_trial AS plain
          ON plain.session_id = t.session_id AND plain.hint_key = ''
         AND plain.model = t.model AND plain.prompt_version = t.prompt_version
        WHERE t.domain_id = :domain AND t.hint_key <> ''
          AND t.model = :model AND t.prompt_version = :version
          AND (CAST(:sessions AS bigint[]) IS NULL OR t.session_id = ANY(:sessions))
    ), summed AS (
        SELECT hint_key, count(*) AS trials, avg(gain) AS mean,
               coalesce(stddev_samp(gain) / sqrt(count(*)), 0) AS error,
               count(*) FILTER (WHERE gain > 0) AS helped,
               count(*) FILTER (WHERE gain < 0) AS harmed
        FROM gained GROUP BY hint_key
    )
"""
"""The gains of each hint for one model and prompt, over all sessions or some."""

_REFRESHED = """
    UPDATE re2llm.hint AS h
    SET trials = summed.trials, mean_gain = summed.mean, gain_error = summed.error,
        helped = summed.helped, harmed = summed.harmed
    FROM summed WHERE h.domain_id = :domain AND h.key = summed.hint_key
"""

_BEST = """
    SELECT h.id FROM re2llm.hint AS h
    JOIN summed ON summed.hint_key = h.key
    WHERE h.domain_id = :domain AND h.status = 'active'
      AND summed.trials >= :enough AND summed.mean - :doubt * summed.error > 0
    ORDER BY summed.mean DESC, h.id LIMIT 1
"""


async def refresh_stats(
    connection: AsyncConnection,
    domain_id: int,
    model: str,
    prompt_version: str,
    sessions: Sequence[int],
) -> None:
    """Write each hint's trials, mean gain, its standard error, helped and harmed sessions.

    Only sessions that were drawn at random count. Those from which a hint was proposed are ones
    that it helps, and a policy tries it where it expects a gain: with them every mean is too high.

    Args:
        connection: In a transaction.
        model: Name of the ranking model whose trials count.
        prompt_version: Version of the ranking prompt whose trials count.
        sessions: Keys of the training sessions that were drawn at random.
    """
    await connection.execute(
        text(f"{_SUMMED}{_REFRESHED}"),
        {
            "domain": domain_id,
            "model": model,
            "version": prompt_version,
            "sessions": list(sessions),
        },
    )


async def best_verified(
    connection: AsyncConnection, domain_id: int, model: str, prompt_version: str
) -> Hint | None:
    """Return the active hint with the largest mean gain that is beyond doubt for one model.

    The stats beside the hints may come from another model.

    Args:
        model: Name of the ranking model whose trials count.
        prompt_version: Version of the ranking prompt whose trials count.
    """
    number = await connection.scalar(
        text(f"{_SUMMED}{_BEST}"),
        {
            "domain": domain_id,
            "model": model,
            "version": prompt_version,
            "sessions": None,
            "enough": _ENOUGH,
            "doubt": _BEYOND_DOUBT,
        },
    )
    active = await list_hints(connection, domain_id, status="active")
    return next((hint for hint in active if hint.id == number), None)


async def retire_harmful(connection: AsyncConnection, domain_id: int) -> list[Hint]:
    """Retire the active hints whose measured loss is beyond doubt.

    Args:
        connection: In a transaction, after `refresh_stats`.
    """
    harmful = [
        hint
        for hint in await list_hints(connection, domain_id, status="active")
        if hint.trials >= _ENOUGH and hint.mean_gain + _BEYOND_DOUBT * hint.gain_error < 0
    ]
    for hint in harmful:
        reason = f"Mean gain {hint.mean_gain:+.3f} on {hint.trials} sessions."
        await set_status(connection, domain_id, hint.id, "retired", reason)
    return harmful
