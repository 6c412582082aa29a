"""Sums up what model calls have cost."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...knowledge.access.keys import list_keys
from ...knowledge.log.cost_sums import CostPart, close_days, sum_calls, sum_calls_by_each
from ...llm.prices import Prices, call_cost
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..database import connected
from .cost_results import CostRow, Costs, CostSums

__all__ = ["DAY_BY_DAY", "CostPart", "costs", "costs_by_each"]

DAY_BY_DAY: tuple[CostPart, ...] = ("day", "command", "model")


async def costs(
    context: Context,
    *,
    days: int | None = None,
    reprice: bool = False,
    by: Sequence[CostPart] = DAY_BY_DAY,
) -> Costs:
    """Sum up paid model calls by day (UTC), command, model or API key, the latest day first.

    With an API key, only its own calls count. A call that had no price when it was made costs what
    the price table says today.

    Args:
        days: Only this many days, up to and including today; `None` for all.
        reprice: Whether every call costs what the price table says today. The ledger stays.
        by: What rows are grouped by, at least one.

    Raises:
        InputError: Rows cannot be told apart by this.
        DatabaseError: The database failed.
    """
    told = tuple(dict.fromkeys(by))
    unknown = [repr(part) for part in told if part not in get_args(CostPart)]
    if unknown or not told:
        known = ", ".join(get_args(CostPart))
        problem = f"Costs have no {', '.join(unknown)}." if unknown else "It is empty."
        raise InputError("by", problem, f"Choose among {known}.")
    options = await resolve_context(context)
    # Prices are those of a model.
    parts = told if "model" in told else (*told, "model")
    async with _closed(options) as connection:
        summed = await sum_calls(connection, _since(days), key=_own_key(options), by=parts)
        owners = await _owners(connection) if "key" in told else {}
    return _costs(summed, told, owners, options.settings.prices, reprice=reprice)


async def costs_by_each(context: Context, *, days: int | None = None) -> dict[CostPart, Costs]:
    """Sum up paid model calls by day, by command, by model and by key, each for itself.

    With an API key, only its own calls count.

    Args:
        days: Only this many days, up to and including today; `None` for all.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with _closed(options) as connection:
        summed = await sum_calls_by_each(connection, _since(days), key=_own_key(options))
        owners = await _owners(connection)
    return {
        part: _costs(rows, [part], owners, options.settings.prices) for part, rows in summed.items()
    }


@asynccontextmanager
async def _closed(options: RunOptions) -> AsyncGenerator[AsyncConnection]:
    """Yield a connection once the days that have ended are summed up."""
    async with connected(options, write=True) as connection:
        await close_days(connection)
    async with connected(options) as connection:
        yield connection


def _since(days: int | None) -> dt.datetime | None:
    if days is None:
        return None
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - dt.timedelta(days=days - 1)


def _own_key(options: RunOptions) -> str | None:
    return None if options.caller is None else options.caller.key_id


async def _owners(connection: AsyncConnection) -> dict[str, str]:
    return {key.id: key.owner for key in await list_keys(connection)}


def _costs(
    summed: Sequence[Mapping[str, Any]],
    told: Sequence[CostPart],
    owners: Mapping[str, str],
    prices: Prices,
    *,
    reprice: bool = False,
) -> Costs:
    """Price rows, and put those together that differ in their model alone."""
    grouped = defaultdict[tuple[str, ...], list[CostRow]](list)
    unpriced = set[str]()
    for row in summed:
        priced = CostRow.model_validate(_priced(row, prices, reprice=reprice))
        grouped[tuple(row[part] for part in told)].append(priced)
        if priced.unpriced:
            unpriced.add(row["model"])
    rows = [
        CostRow(
            **dict(zip(told, values, strict=True)),
            owner=owners.get(values[told.index("key")], "") if "key" in told else "",
            estimated=any(row.estimated for row in group),
            **CostSums.of(group).model_dump(),
        )
        for values, group in grouped.items()
    ]
    return Costs(rows=rows, total=CostSums.of(rows), unpriced_models=sorted(unpriced))


def _priced(row: Mapping[str, Any], prices: Prices, *, reprice: bool) -> Mapping[str, Any]:
    kind = "tokens" if reprice else "unpriced"
    tokens = (row[f"{kind}_{way}"] for way in ("in", "out", "cached"))
    cost = call_cost(prices, row["model"], *tokens)
    if cost is None:
        return row
    return {**row, "cost": cost if reprice else row["cost"] + cost, "unpriced": 0}
