"""The stats of hints for each model and prompt; finds the best and retires what does harm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ...rank_metrics import BEYOND_DOUBT
from ...records import counted
from ..domain_locks import hold_hints
from ..prompted_model import PromptedModel, of_model
from ..schema.tables import SHRINKAGE, HintRow, HintStatsRow
from .approvals import standing_by_approval
from .decisions import StatusChange, apply_change, own_sessions
from .hints import Hint

ENOUGH = 30
"""Trials below which harm may still be bad luck."""
UNSEEN = 0.5
"""A large gain that a hint is given, because a rare one may not have come yet."""

_CLEARED = """
    DELETE FROM re2llm.hint_stats
    WHERE domain_id = :domain AND model = :model AND prompt_version = :prompt_version
"""
_SUMMED = """
    WITH gained AS (
        SELECT DISTINCT ON (h.id, t.session_id) h.id AS hint_id, t.ndcg - plain.ndcg AS gain
        FROM re2llm.hint_trial AS t
        JOIN re2llm.hint_trial AS plain
          ON plain.session_id = t.session_id AND plain.hint_key = ''
         AND plain.model = t.model AND plain.prompt_version = t.prompt_version
        JOIN re2llm.hint AS own ON own.domain_id = :domain AND own.key = t.hint_key
        JOIN re2llm.hint AS h ON h.domain_id = :domain AND h.id IN (own.id, own.merged_into)
        WHERE t.domain_id = :domain AND t.hint_key <> ''
          AND t.model = :model AND t.prompt_version = :prompt_version
          AND t.session_id = ANY(:sessions)
          AND (h.id, t.session_id) NOT IN (
              SELECT * FROM unnest(CAST(:flattered AS bigint[]), CAST(:own AS bigint[]))
          )
        ORDER BY h.id, t.session_id, h.id <> own.id, own.id
    )
    INSERT INTO re2llm.hint_stats (domain_id, hint_id, model, prompt_version,
                                   trials, mean_gain, gain_error, helped, harmed)
    SELECT :domain, hint_id, :model, :prompt_version, count(*), avg(gain),
           coalesce(stddev_samp(gain) / sqrt(count(*)), 0),
           count(*) FILTER (WHERE gain > 0), count(*) FILTER (WHERE gain < 0)
    FROM gained GROUP BY hint_id
"""
# A hint that was not tried with this model and prompt shows its figures with another.
_SHOWN = """
    WITH shown AS (
        SELECT DISTINCT ON (hint_id) hint_id, trials, mean_gain, gain_error, helped, harmed
        FROM re2llm.hint_stats
        WHERE domain_id = :domain
        ORDER BY hint_id, (model = :model AND prompt_version = :prompt_version) DESC, trials DESC
    ), present AS (
        SELECT h.id, coalesce(s.trials, 0) AS trials, coalesce(s.mean_gain, 0) AS mean_gain,
               coalesce(s.gain_error, 0) AS gain_error, coalesce(s.helped, 0) AS helped,
               coalesce(s.harmed, 0) AS harmed
        FROM re2llm.hint AS h LEFT JOIN shown AS s ON s.hint_id = h.id
        WHERE h.domain_id = :domain AND (s.hint_id IS NOT NULL OR h.trials > 0)
    )
    UPDATE re2llm.hint AS h
    SET trials = p.trials, mean_gain = p.mean_gain, gain_error = p.gain_error,
        helped = p.helped, harmed = p.harmed
    FROM present AS p WHERE h.domain_id = :domain AND h.id = p.id
"""

MEASURED = (
    HintRow.id,
    HintRow.text,
    HintRow.status,
    func.coalesce(HintStatsRow.trials, 0),
    func.coalesce(HintStatsRow.mean_gain, 0.0),
    func.coalesce(HintStatsRow.gain_error, 0.0),
    func.coalesce(HintStatsRow.helped, 0),
    func.coalesce(HintStatsRow.harmed, 0),
)
"""Columns in the order of the fields of `Hint`, for one model."""
_PROMISE = HintStatsRow.mean_gain * HintStatsRow.trials / (HintStatsRow.trials + SHRINKAGE)


def stats_for(prompted_model: PromptedModel | None = None) -> ColumnElement[bool]:
    """Join hints with their stats for one model and prompt; see `of_model`."""
    return and_(
        HintStatsRow.domain_id == HintRow.domain_id,
        HintStatsRow.hint_id == HintRow.id,
        of_model(HintStatsRow, prompted_model),
    )


# Written once: every request asks it.
MOST_PROMISING = (
    select(*MEASURED)
    .join(HintStatsRow, stats_for())
    .where(HintRow.status == "active", _PROMISE > 0)
    .order_by(_PROMISE.desc(), HintRow.id)
    .limit(1)
)
"""Selects the most promising active hint for a `model` and a `prompt_version`."""
_BEST = MOST_PROMISING.where(HintRow.domain_id == bindparam("domain"))
_BEST_BEYOND_DOUBT = _BEST.where(
    HintStatsRow.trials >= ENOUGH,
    HintStatsRow.mean_gain - BEYOND_DOUBT * HintStatsRow.gain_error > 0,
)


async def refresh_stats(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    sessions: Sequence[int],
) -> None:
    """Write each hint's trials, mean gain, its standard error, helped and harmed sessions.

    Only sessions that were drawn at random count, and not those from which the hint was proposed.
    The latter are ones that it helps, and a policy tries it where it expects a gain: with them
    every mean is too high.
    Where a hint itself was not tried, the trials of those that were merged into it count.

    Args:
        connection: A connection in a transaction; a second one waits for its end.
        prompted_model: The model and prompt whose trials count.
        sessions: Keys of the training sessions that were drawn at random.
    """
    given = {"domain": domain_id, **prompted_model.columns}
    await hold_hints(connection, domain_id)
    await connection.execute(text(_CLEARED), given)
    pairs = [
        (hint, session)
        for hint, own in (await own_sessions(connection, domain_id)).items()
        for session in own
    ]
    left_out = {"flattered": [hint for hint, _ in pairs], "own": [own for _, own in pairs]}
    await connection.execute(text(_SUMMED), {**given, "sessions": list(sessions), **left_out})
    await connection.execute(text(_SHOWN), given)


async def measured_hints(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    *,
    status: str | None = None,
    after: int = 0,
    count: int | None = None,
) -> list[Hint]:
    """Return a domain's hints with their stats for one model and prompt, oldest first.

    Args:
        status: Only those of this status.
        after: Only those with a greater id.
        count: The highest number to return.
    """
    statement = (
        select(*MEASURED)
        .outerjoin(HintStatsRow, stats_for(prompted_model))
        .where(HintRow.domain_id == domain_id, HintRow.id > after)
        .order_by(HintRow.id)
        .limit(count)
    )
    if status is not None:
        statement = statement.where(HintRow.status == status)
    return [Hint(*row) for row in await connection.execute(statement)]


async def best_measured(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    *,
    beyond_doubt: bool = False,
) -> Hint | None:
    """Return the active hint that promises most for one model and prompt, if any gains at all.

    Args:
        beyond_doubt: Ask for enough trials, and for a gain that cannot be luck.
    """
    statement = _BEST_BEYOND_DOUBT if beyond_doubt else _BEST
    wanted = {"domain": domain_id, **prompted_model.columns}
    row = (await connection.execute(statement, wanted)).one_or_none()
    return None if row is None else Hint(*row)


async def retire_harmful(
    connection: AsyncConnection, domain_id: int, prompted_model: PromptedModel
) -> list[Hint]:
    """Retire the active hints whose loss with one model and prompt is beyond doubt.

    Those stay that somebody approved after a decision by the same trials.

    Args:
        connection: A connection in a transaction, after `refresh_stats`.
    """
    approved = await standing_by_approval(connection, domain_id, prompted_model)
    harmful = [
        hint
        for hint in await measured_hints(connection, domain_id, prompted_model, status="active")
        if hint.id not in approved
        and hint.trials >= ENOUGH
        and loses(hint.trials, hint.mean_gain, hint.gain_error)
    ]
    for hint in harmful:
        change = StatusChange(
            hint.id, "harms", "active", "retired", harm_of(hint), _figures_of(hint)
        )
        await apply_change(connection, domain_id, change, prompted_model)
    return harmful


def loses(trials: int, mean: float, error: float, *, errors: float = BEYOND_DOUBT) -> bool:
    """Return whether a hint does harm for certain, even if a large gain were to come.

    Few large gains can be worth more than many small losses, and may not have come yet.

    Args:
        trials: The number of trials, at least 2.
        mean: Mean gain on them.
        error: Its standard error.
        errors: How many standard errors the mean has to lie below 0.
    """
    more = trials + 1
    squares = (trials - 1) * trials * error**2 + (UNSEEN - mean) ** 2 * trials / more
    return (trials * mean + UNSEEN) / more + errors * (squares / trials / more) ** 0.5 < 0


def _figures_of(hint: Hint) -> dict[str, Any]:
    margin = BEYOND_DOUBT * hint.gain_error
    return {
        "sessions": hint.trials,
        "mean": round(hint.mean_gain, 4),
        "ci90": [round(hint.mean_gain - margin, 4), round(hint.mean_gain + margin, 4)],
        "helped": hint.helped,
        "harmed": hint.harmed,
    }


def harm_of(hint: Hint) -> str:
    """Return why a hint was retired for harm."""
    return f"Mean gain {hint.mean_gain:+.3f} on {counted(hint.trials, 'session')}."
