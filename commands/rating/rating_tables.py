"""Tables under the metrics of raters: paired differences, and errors by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..console import out
from ..tables import print_table


def print_paired(paired: Sequence[dict[str, Any]]) -> None:
    """Print by how much each model errs less or more than each other row."""
    if not paired:
        return
    numbers = ("difference", "95 % interval")
    rows: list[list[str]] = []
    for pair in paired:
        low, high = pair["ci95"]
        rows.append([pair["a"], pair["b"], f"{pair['diff']:+.3f}", f"{low:+.3f}, {high:+.3f}"])
    out.print()
    title = "Difference in MAE on the same ratings; below 0 the first errs less"
    print_table(("model", "compared with", *numbers), rows, right=numbers, title=title)


def print_groups(groups: Sequence[dict[str, Any]]) -> None:
    """Print the MAE of each row in each group of ratings."""
    if not groups:
        return
    names = [row["name"] for row in groups[0]["rows"]]
    rows = [
        [group["name"], f"{group['n']:,}", *(f"{row['mae']:.3f}" for row in group["rows"])]
        for group in groups
    ]
    out.print()
    numbers = ("ratings", *names)
    title = "MAE by group of ratings"
    print_table(("", *numbers), rows, right=numbers, names=names, title=title)
