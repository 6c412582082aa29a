"""Prints what several commands show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..records import counted
from ..terminal_text import one_line, printable
from .console import out

if TYPE_CHECKING:
    from ..operations.hints.results import RetiredHint

_NARROWEST = 8
"""Columns that a column of text keeps at least, if its cells have as many."""
_BESIDE = 3
"""A space on either side of a column, and one between two columns."""
_GAPS = (((0, 1), _BESIDE), ((0, 0, 0, 1), 2), ((0, 0), 1))
"""Paddings to choose from, with the columns that each takes."""
_NAME = 24
"""Columns that a text keeps, if columns can move together for it: as many as a name has."""


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    names: Collection[str] = (),
    title: str | None = None,
) -> None:
    """Print rows under headings, in aligned columns.

    Where a terminal is too narrow, columns move together, then text folds inside its column, and
    lines go on below if that is not enough. In a pipe every row is one line.

    Args:
        headings: One a column.
        rows: Cells, as many as there are headings.
        right: The headings of columns that hold numbers.
        names: Those of them that may fold, as they are names of any length.
        title: A line above the table.
    """
    named = None if title is None else Text(one_line(title), style="table.title")
    table = Table(title=named, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    cells = [[Text(one_line(cell)) for cell in row] for row in rows]
    narrowest: list[int] = []
    natural = 0
    for at, heading in enumerate(headings):
        numbers = heading in right
        rigid = numbers and heading not in names
        longest = max((row[at].cell_len for row in cells), default=0)
        widest = max(longest, len(heading))
        natural += widest if rigid else min(widest, _NAME)
        least = min(widest, _NARROWEST)
        narrowest.append(widest if rigid else max(longest, least) if numbers else least)
        table.add_column(
            Text(printable(heading)),
            justify="right" if numbers else "left",
            no_wrap=rigid,
            min_width=narrowest[at],
            overflow="fold",
        )
    for row in cells:
        table.add_row(*row)
    if out.is_terminal:
        fitting = (gap for gap in _GAPS if natural + gap[1] * len(headings) - 1 <= out.width)
        table.padding, beside = next(fitting, _GAPS[-1])
        least = sum(narrowest) + beside * len(headings) - 1
        # Made narrower than this, columns would lose their cells.
        table.width = least if least > out.width else None
        out.print(table, crop=False)
        return
    with out.capture() as printed:
        out.print(table)
    typer.echo("\n".join(line.rstrip() for line in printed.get().rstrip().splitlines()))


def minute(moment: str) -> str:
    """Return a moment, given as ISO 8601, as people write it: in UTC, to the minute."""
    return f"{dt.datetime.fromisoformat(moment).astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def print_retired(hints: Sequence[RetiredHint]) -> None:
    """Say which hints were retired for measured harm."""
    for hint in hints:
        line = f"hint {hint.id} retired: {hint.reason} {hint.text}"
        out.print_line(line)


def print_evaluation(document: Mapping[str, Any], title: str) -> None:
    """Print an evaluation's document: rows, best first, and what else it holds."""
    _print_rows(document, title)
    _print_orders(document.get("orders", []))
    _print_differences(document.get("answers", []))
    _print_hints(document["hints"])


def _print_rows(document: Mapping[str, Any], title: str) -> None:
    names = ("hr@5", "ndcg@5", "hr@10", "ndcg@10")
    numbers = ("HR@5", "NDCG@5", "HR@10", "NDCG@10", "95 % interval", "MRR", "calls")
    rows: list[list[str]] = []
    for row in sorted(document["rows"], key=lambda row: -row["ndcg@10"]):
        metrics = [f"{row[name]:.3f}" for name in names]
        interval = _interval(row["ci95"]["ndcg@10"], ".3f")
        last = (interval, f"{row['mrr']:.3f}", f"{row['llm_calls']:,}")
        rows.append([row["name"], row["kind"], *metrics, *last])
    print_table(("", "kind", *numbers), rows, right=numbers, title=title)
    for row in document["rows"]:
        sizes = row.get("hints_given", {})
        if any(int(size) > 1 for size in sizes):
            given = ", ".join(
                f"{counted(int(size), 'hint')} in {counted(count, 'session')}"
                for size, count in sizes.items()
            )
            out.print(
                f"hints of {row['name']}: {row['mean_hints']:.2f} a session ({given})",
            )
    faulty = {row["name"]: row["flags"] for row in document["rows"] if row["flags"]}
    for name, flags in faulty.items():
        listed = ", ".join(f"{flag} {count}" for flag, count in flags.items())
        out.print(f"faulty answers of {name}: {listed}")
    for row in document["rows"]:
        if row["faults"]:
            listed = ", ".join(f"{fault} {count:,}" for fault, count in row["faults"].items())
            out.print(f"faults in answers of {row['name']}, before repair: {listed}")


def _interval(ends: Sequence[float | None], form: str) -> str:
    """Write an interval; one session has none."""
    return ", ".join("?" if end is None else format(end, form) for end in ends)


def _print_orders(spreads: list[dict[str, Any]]) -> None:
    for spread in spreads:
        thirds = ", ".join("-" if part is None else f"{part:.3f}" for part in spread["by_third"])
        out.print_line(
            f"{spread['name']} in {counted(spread['orders'], 'order')}: NDCG@10 "
            f"{spread['mean']:.3f}, standard deviation {spread['sd']:.4f}, range "
            f"{spread['range']:.4f}; Kendall tau "
            f"{spread['kendall_tau']:.2f}, first item unchanged in {spread['same_first']:.0%}; "
            f"by the target's third of the list: {thirds}"
        )


def _print_differences(differences: list[dict[str, Any]]) -> None:
    for row in differences:
        out.print_line(
            f"session {row['session']}: {row['target']} stands at {row['strict'] or 'no place'} "
            f"by the strict parser, and at {row['repaired'] or 'no place'} by the repaired one. "
            f"{row['why']}"
        )


def _print_hints(hints: list[dict[str, Any]]) -> None:
    if not hints:
        return
    numbers = ("hint", "gain", "95 % interval", "helped", "harmed")
    rows: list[list[str]] = []
    for hint in hints:
        gain = (f"{hint['gain']:+.3f}", _interval(hint["ci95"], "+.3f"))
        rows.append(
            [f"{hint['id']}", *gain, f"{hint['helped']}", f"{hint['harmed']}", hint["text"]]
        )
    print_table((*numbers, "text"), rows, right=numbers)
    helping = sum(hint["gain"] > 0 for hint in hints)
    out.print(f"Hints that help on average: {helping} of {len(hints)}.")
