"""`re2llm costs`: what model calls have cost."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..records import counted
from .console import out, print_json, run
from .options import JsonOption
from .tables import print_table

if TYPE_CHECKING:
    from ..operations.accounts.cost_results import Costs, CostSums
    from ..operations.accounts.costs import CostPart

_EXAMPLE = (0.4, 1.6)
"""Prices such as a provider may have."""


def costs(
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=36_500,
            metavar="N",
            help="Only this many days, up to and including today.",
        ),
    ] = None,
    reprice: Annotated[
        bool,
        typer.Option("--reprice", help="Price every past call by today's RE2LLM_PRICES."),
    ] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="PART",
            help="Tell rows apart by `day`, `command`, `model` or `key`; may be repeated. Default: "
            "the first three.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sum up paid model calls by day, command, model or key.

    Prices come from RE2LLM_PRICES. A call costs what it cost when it was made, or today's price if
    there was none then.

    Example: re2llm costs --days 7
    """
    run(lambda: _costs(days, reprice, by, as_json))


async def _costs(days: int | None, reprice: bool, by: list[str] | None, as_json: bool) -> None:
    from ..operations.accounts.costs import DAY_BY_DAY, costs
    from ..runtime.context import Context

    parts = cast("list[CostPart]", by) or list(DAY_BY_DAY)  # checked by the operation
    summed = await costs(Context(), days=days, reprice=reprice, by=parts)
    if as_json:
        print_json(summed.model_dump(mode="json"))
    elif not summed.rows:
        out.print("No paid model calls are recorded. The offline model costs nothing.")
    else:
        print_costs(summed, parts)


def print_costs(summed: Costs, parts: Sequence[CostPart]) -> None:
    """Print a table, and what to know of its numbers."""
    numbers = ("questions", "failed", "from\ncache", "tokens\nin", "of it\ncached", "out", "cost")
    rows = [[*(row.named(part) for part in parts), *_cells(row)] for row in summed.rows]
    rows.append(["total", *[""] * (len(parts) - 1), *_cells(summed.total)])
    print_table((*parts, *numbers), rows, right=numbers)
    if summed.total.saved:
        out.print(f"The provider's cache and batches saved {summed.total.saved:.4f}.")
    if summed.total.unpriced:
        example = json.dumps(dict.fromkeys(summed.unpriced_models, _EXAMPLE), ensure_ascii=False)
        out.print_line(
            f"{counted(summed.total.unpriced, 'question has', 'questions have')} no price: set "
            f"RE2LLM_PRICES, for example RE2LLM_PRICES={shlex.quote(example)}, per "
            "million tokens in and out."
        )
    if any(row.estimated for row in summed.rows):
        out.print("Some token counts are estimates, because the model does not report them.")


def _cells(sums: CostSums) -> list[str]:
    counts = (sums.questions, sums.failed, sums.cached, sums.tokens_in)
    cached = f"{sums.tokens_cached / max(sums.tokens_in, 1):.0%}"
    cost = f"{sums.cost:.4f}" if sums.has_price else "no price"
    return [*(f"{count:,}" for count in counts), cached, f"{sums.tokens_out:,}", cost]
