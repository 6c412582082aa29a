"""Draws an evaluation's figures as a table."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .console import out


def print_summary(document: dict[str, Any], *, title: str) -> None:
    """Print the rows, best first, and how each compares with the best.

    Args:
        document: From `evaluation.summary.summarise`.
        title: Stands above the table.
    """
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    for heading in ("", "kind"):
        table.add_column(heading, no_wrap=True)
    for heading in ("HR@5", "NDCG@5", "HR@10", "NDCG@10", "95 % interval", "MRR", "calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sorted(document["rows"], key=lambda row: -row["ndcg@10"]):
        low, high = row["ci95"]["ndcg@10"]
        figures = [f"{row[name]:.3f}" for name in ("hr@5", "ndcg@5", "hr@10", "ndcg@10")]
        table.add_row(
            row["name"],
            row["kind"],
            *figures,
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


def print_orders(spreads: list[dict[str, Any]]) -> None:
    """Print how far rankings depend on the order of the candidates.

    Args:
        spreads: From `evaluation.permutations.order_spread`.
    """
    for spread in spreads:
        thirds = ", ".join("-" if part is None else f"{part:.3f}" for part in spread["by_third"])
        out.print(
            f"{spread['name']} in {spread['orders']} orders: NDCG@10 {spread['mean']:.3f}, "
            f"standard deviation {spread['sd']:.4f}, range {spread['range']:.4f}; Kendall tau "
            f"{spread['kendall_tau']:.2f}, first item unchanged in {spread['same_first']:.0%}; "
            f"by the target's third of the list: {thirds}",
            soft_wrap=True,
        )


def print_differences(differences: list[dict[str, Any]]) -> None:
    """Print the sessions in which two parsers read a recorded answer differently.

    Args:
        differences: From `evaluation.recorded.score_answers`.
    """
    for row in differences:
        out.print(
            f"session {row['session']}: {row['target']} stands at {row['strict'] or 'no place'} "
            f"by the strict parser, at {row['repaired'] or 'no place'} by the repaired one. "
            f"{row['why']}",
            markup=False,
            soft_wrap=True,
        )


def print_hints(hints: list[dict[str, Any]]) -> None:
    """Print what each single hint would bring to every session.

    Args:
        hints: From `evaluation.oracle.hint_table`.
    """
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
