"""Prints what several commands show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .console import out

if TYPE_CHECKING:
    from ..operations.hint_results import RetiredHint


def print_retired(hints: Sequence[RetiredHint]) -> None:
    """Say which hints were retired for measured harm."""
    for hint in hints:
        line = f"hint {hint.id} retired: {hint.reason} {hint.text}"
        out.print(line, markup=False, soft_wrap=True)


def print_evaluation(document: Mapping[str, Any], title: str) -> None:
    """Print an evaluation's document: rows, best first, and what else it holds."""
    _print_rows(document, title)
    _print_orders(document.get("orders", []))
    _print_differences(document.get("answers", []))
    _print_hints(document["hints"])


def _print_rows(document: Mapping[str, Any], title: str) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    for heading in ("", "kind"):
        table.add_column(heading, no_wrap=True)
    for heading in ("HR@5", "NDCG@5", "HR@10", "NDCG@10", "95 % interval", "MRR", "calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sorted(document["rows"], key=lambda row: -row["ndcg@10"]):
        low, high = row["ci95"]["ndcg@10"]
        metrics = [f"{row[name]:.3f}" for name in ("hr@5", "ndcg@5", "hr@10", "ndcg@10")]
        table.add_row(
            row["name"],
            row["kind"],
            *metrics,
            f"{low:.3f}, {high:.3f}",
            f"{row['mrr']:.3f}",
            str(row["llm_calls"]),
        )
    out.print(table)
    faulty = {row["name"]: row["flags"] for row in document["rows"] if row["flags"]}
    for name, flags in faulty.items():
        counted = ", ".join(f"{flag} {count}" for flag, count in flags.items())
        out.print(f"faulty answers of {name}: {counted}")

    for row in document["rows"]:
        if row["faults"]:
            counted = ", ".join(f"{fault} {count:,}" for fault, count in row["faults"].items())
            out.print(f"faults in answers of {row['name']}, before repair: {counted}")


def _print_orders(spreads: list[dict[str, Any]]) -> None:
    for spread in spreads:
        thirds = ", ".join("-" if part is None else f"{part:.3f}" for part in spread["by_third"])
        out.print(
            f"{spread['name']} in {spread['orders']} orders: NDCG@10 {spread['mean']:.3f}, "
            f"standard deviation {spread['sd']:.4f}, range {spread['range']:.4f}; Kendall tau "
            f"{spread['kendall_tau']:.2f}, first item unchanged in {spread['same_first']:.0%}; "
            f"by the target's third of the list: {thirds}",
            soft_wrap=True,
        )


def _print_differences(differences: list[dict[str, Any]]) -> None:
    for row in differences:
        out.print(
            f"session {row['session']}: {row['target']} stands at {row['strict'] or 'no place'} "
            f"by the strict parser, and at {row['repaired'] or 'no place'} by the repaired one. "
            f"{row['why']}",
            markup=False,
            soft_wrap=True,
        )


def _print_hints(hints: list[dict[str, Any]]) -> None:
    for hint in hints:
        low, high = hint["ci95"]
        out.print(
            f"{hint['id']:>5}  {hint['gain']:+.3f} ({low:+.3f}, {high:+.3f})  "
            f"+{hint['helped']} -{hint['harmed']}  {hint['text']}",
            markup=False,
            soft_wrap=True,
        )
    if hints:
        helping = sum(hint["gain"] > 0 for hint in hints)
        out.print(f"{helping} of {len(hints)} hints help on average.")
