"""`re2llm costs`: what model calls have cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from .console import out, print_json, run

_SUMMED = ("calls", "requests", "failed", "cached", "tokens_in", "tokens_out", "cost", "unpriced")


def costs(
    days: Annotated[
        int | None, typer.Option(min=1, help="Only the last so many days, today included.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Sum paid model calls up by day (UTC), command and model, priced by RE2LLM_PRICES.

    Example: re2llm costs --days 7
    """
    run(lambda: _costs(days, as_json))


async def _costs(days: int | None, as_json: bool) -> None:
    from ..knowledge.llm_calls import sum_calls
    from ..runtime.sharing import shared_services

    services = await shared_services()
    since = None
    if days is not None:
        today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - dt.timedelta(days=days - 1)
    async with services.engine.connect() as connection:
        rows = await sum_calls(connection, since)
    total = {name: sum(row[name] for row in rows) for name in _SUMMED}
    if as_json:
        print_json({"rows": rows, "total": total})
        return
    if not rows:
        out.print("No paid model call is booked. The offline model costs nothing.")
        return
    _print(rows, total)


def _print(rows: Sequence[Mapping[str, Any]], total: Mapping[str, Any]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=0)
    for heading in ("day", "command", "model"):
        table.add_column(heading, overflow="fold")
    for heading in ("calls", "failed", "from cache", "tokens in", "out", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in (*rows, {"day": "total", "command": "", "model": "", **total}):
        table.add_row(
            row["day"],
            row["command"],
            row["model"],
            *(f"{row[name]:,}" for name in ("calls", "failed", "cached")),
            *(f"{row[name]:,}" for name in ("tokens_in", "tokens_out")),
            "no price" if row["unpriced"] == row["calls"] else f"{row['cost']:.4f}",
        )
    out.print(table)
    if total["unpriced"]:
        out.print(
            f"{total['unpriced']:,} calls have no price: set RE2LLM_PRICES, see .env.example."
        )
    if any(row.get("estimated") for row in rows):
        out.print("Some tokens are estimated, since the model counts none.")
