"""Sums over the ledger of paid model calls: each day that has ended is summed up once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from .llm_calls import ANSWERED

CostPart = Literal["day", "command", "model", "key"]
"""What to group sums by."""

_OF_CALLS = """
    (created_at AT TIME ZONE 'UTC')::date AS day, command, model,
    coalesce(api_key_id, '') AS api_key_id,
    count(*) AS calls, sum(requests) AS requests,
    count(*) FILTER (WHERE outcome <> ALL(:answered)) AS failed,
    sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out,
    sum(tokens_cached) AS tokens_cached, bool_or(estimated) AS estimated,
    coalesce(sum(cost), 0) AS cost, sum(saved) AS saved,
    count(*) FILTER (WHERE cost IS NULL) AS unpriced,
    coalesce(sum(tokens_in) FILTER (WHERE cost IS NULL), 0) AS unpriced_in,
    coalesce(sum(tokens_out) FILTER (WHERE cost IS NULL), 0) AS unpriced_out,
    coalesce(sum(tokens_cached) FILTER (WHERE cost IS NULL), 0) AS unpriced_cached
"""
_COLUMNS = """
    day, command, model, api_key_id, calls, requests, failed, tokens_in, tokens_out, tokens_cached,
    estimated, cost, saved, unpriced, unpriced_in, unpriced_out, unpriced_cached
"""
_COUNTS = (
    *("questions", "llm_calls", "failed", "cached", "tokens_in", "tokens_out", "tokens_cached"),
    *("unpriced", "unpriced_in", "unpriced_out", "unpriced_cached"),
)
_NAMED = {"key": "api_key_id AS key"}
_COLUMN = {"questions": "calls", "llm_calls": "requests"}
"""Columns of `llm_day` that are called otherwise."""
_UNTIL = """
    coalesce((SELECT (max(day) + 1)::timestamp AT TIME ZONE 'UTC' FROM re2llm.llm_day), '-infinity')
"""
"""The end of what `llm_day` holds."""
# The last calls of a day may still be booked when it has ended.
_CLOSE = f"""
    INSERT INTO re2llm.llm_day ({_COLUMNS}) SELECT {_OF_CALLS} FROM re2llm.llm_call
    WHERE created_at >= {_UNTIL}
      AND created_at < date_trunc('day', now() - interval '1 hour', 'UTC')
    GROUP BY 1, 2, 3, 4
"""  # noqa: S608  # constants of ours  # nosec B608
# Answers are used again on any later day, so that these are counted again each time.
_PARTS = f"""
    SELECT {_COLUMNS}, 0 AS cached FROM re2llm.llm_day
    WHERE day >= (:since AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT {_OF_CALLS}, 0 FROM re2llm.llm_call
    WHERE created_at >= greatest({_UNTIL}, :since) GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT (created_at AT TIME ZONE 'UTC')::date, command, model, coalesce(api_key_id, ''),
        0, 0, 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0, sum(hits)
    FROM re2llm.llm_call WHERE hits > 0 AND created_at >= :since GROUP BY 1, 2, 3, 4
"""  # noqa: S608  # nosec B608


async def close_days(connection: AsyncConnection) -> None:
    """Sum up the days that have ended since this was last done.

    Args:
        connection: A connection in a transaction; if another one is doing it now, nothing happens.
    """
    hold = text("SELECT pg_try_advisory_xact_lock(hashtextextended('re2llm:llm_day', 0))")
    if await connection.scalar(hold):
        await connection.execute(text(_CLOSE), {"answered": list(ANSWERED)})


async def sum_calls(
    connection: AsyncConnection,
    since: dt.datetime | None = None,
    *,
    key: str | None = None,
    by: Sequence[CostPart] = ("day", "command", "model"),
) -> list[Mapping[str, Any]]:
    """Sum the ledger up, the latest day first.

    Args:
        since: Only calls from then on, the beginning of a day in UTC.
        key: Only those of the API key of this id.
        by: What sums are grouped by.

    Returns:
        For each: what it is of, by the names in `by` (`key` is empty where none asked); questions,
        calls, failed, cached, tokens in, out and cached, whether some are estimated, cost, what
        was saved, and the questions without a price with their tokens.
    """
    groups = ", ".join(str(place) for place in range(1, len(by) + 1))
    order = ", ".join(f"{at} DESC" if part == "day" else f"{at}" for at, part in enumerate(by, 1))
    return await _summed(connection, by, f"{groups} ORDER BY {order}", since, key)


async def sum_calls_by_each(
    connection: AsyncConnection, since: dt.datetime | None = None, *, key: str | None = None
) -> dict[CostPart, list[Mapping[str, Any]]]:
    """Sum the ledger up by each part and model, in one go.

    Args:
        since: Only calls from then on, the beginning of a day in UTC.
        key: Only those of the API key of this id.

    Returns:
        Rows as from `sum_calls`, by part; `day` and so on of other parts are absent.
    """
    parts: tuple[CostPart, ...] = get_args(CostPart)
    # The model is in every set, because prices are a model's.
    sets = "GROUPING SETS ((day, model), (command, model), (model), (api_key_id, model))"
    rows = await _summed(connection, parts, f"{sets} ORDER BY 1 DESC, 2, 3, 4", since, key)
    others = {part: {*parts} - {part, "model"} for part in parts}
    return {
        part: [
            {name: value for name, value in row.items() if name not in others[part]}
            for row in rows
            if row[part] is not None and all(row[name] is None for name in others[part])
        ]
        for part in parts
    }


async def _summed(
    connection: AsyncConnection,
    by: Sequence[CostPart],
    groups: str,
    since: dt.datetime | None,
    key: str | None,
) -> list[Mapping[str, Any]]:
    told = ", ".join(_NAMED.get(part, part) for part in by)
    sums = [f"sum({_COLUMN.get(name, name)})::bigint AS {name}" for name in _COUNTS]
    sums += [f"sum({name})::float8 AS {name}" for name in ("cost", "saved")]
    statement = f"""
        SELECT {told}, {", ".join(sums)}, bool_or(estimated) AS estimated FROM ({_PARTS}) AS part
        WHERE cast(:key AS text) IS NULL OR api_key_id = :key GROUP BY {groups}
    """  # noqa: S608  # names of ours  # nosec B608
    given = {
        "since": since or dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        "key": key,
        "answered": list(ANSWERED),
    }
    rows = (await connection.execute(text(statement), given)).mappings()
    return [{**row, "day": row["day"].isoformat()} if row.get("day") else dict(row) for row in rows]
