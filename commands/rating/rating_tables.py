"""Tables under the metrics of raters: paired differences, and errors by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..console import out


def print_paired(paired: Sequence[dict[str, Any]]) -> None:
    """Print by how much each model errs less or more than each other row."""
    if not paired:
        return
    table = _table("Difference in MAE on the same ratings; below 0 the first errs less")
    for heading in ("model", "compared with"):
        table.add_column(heading, overflow="fold")
    for heading in ("difference", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in paired:
        low, high = pair["ci95"]
        table.add_row(pair["a"], pair["b"], f"{pair['diff']:+.3f}", f"{low:+.3f}, {high:+.3f}")
    out.print(table)


def print_groups(groups: Sequence[dict[str, Any]]) -> None:
    """Print the MAE of each row in each group of ratings."""
    if not groups:
        return
    table = _table("MAE by group of ratings")
    table.add_column("")
    table.add_column("ratings", justify="right")
    for row in groups[0]["rows"]:
        table.add_column(row["name"], justify="right", overflow="fold")
    for group in groups:
        table.add_row(
            group["name"], f"{group['n']:,}", *(f"{row['mae']:.3f}" for row in group["rows"])
        )
    out.print(table)


def _table(title: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
