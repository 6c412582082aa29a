"""Tables: headings, aligned columns, whole lines in a pipe, text that stays text."""

import io
import re

import pytest
from re2llm.commands import tables
from re2llm.commands.console import SafeConsole
from re2llm.commands.rating.rating_tables import print_groups, print_paired

ROWS = [
    ["1", "active", "+0.041", "Prefer [bold]the same director[/bold] as in the history."],
    ["204", "retired", "not tried", "Prefer " + "very " * 300 + "long films."],
    ["3", "pending", "-0.120", "寿司が好きな人には、同じ店の料理を。"],
]


def shown(monkeypatch: pytest.MonkeyPatch, width: int, *, terminal: bool) -> io.StringIO:
    """Have tables printed into a file, and return it."""
    file = io.StringIO()
    console = SafeConsole(file=file, width=width)
    console._force_terminal = terminal
    monkeypatch.setattr(tables, "out", console)
    monkeypatch.setattr(tables.typer, "echo", lambda text: print(text, file=file))
    return file


def printed(monkeypatch: pytest.MonkeyPatch, width: int, *, terminal: bool) -> str:
    file = shown(monkeypatch, width, terminal=terminal)
    tables.print_table(("hint", "status", "gain", "text"), ROWS, right=("hint", "gain"))
    return file.getvalue()


def test_a_terminal_too_narrow_for_the_columns_loses_no_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = printed(monkeypatch, 30, terminal=True)
    for cell in ("hint", "status", "gain", "204", "retired", "not tried", "-0.120"):
        assert cell in text


def test_in_a_pipe_each_row_is_one_line_under_its_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    heading, rule, *rows = printed(monkeypatch, 10_000, terminal=False).splitlines()
    assert heading.split() == ["hint", "status", "gain", "text"]
    assert set(rule) == {"─", " "} or set(rule) == {"─"}
    assert len(rows) == len(ROWS)
    text = heading.index("text")
    for row, cells in zip(rows, ROWS, strict=True):
        assert row.split(maxsplit=2)[:2] == cells[:2]
        assert row[text:] == cells[3]
        assert row == row.rstrip()
    numbers = heading.index("hint") + len("hint")
    assert [row[:numbers].strip() for row in rows] == ["1", "204", "3"]
    assert all(row[numbers - 1] != " " for row in rows), "numbers stand at the right"


@pytest.mark.parametrize(("width", "wide"), [(80, 80), (100, 92)])
def test_an_evaluation_fits_a_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int, wide: int
) -> None:
    """With names as long as ours are; where there is room, the columns stand apart."""
    file = shown(monkeypatch, width, terminal=True)
    numbers = ("HR@5", "NDCG@5", "HR@10", "NDCG@10", "95 % interval", "MRR", "calls")
    cells = ["1.000"] * 4 + ["1.000, 1.000", "1.000", "12,000"]
    tables.print_table(("", "kind", *numbers), [["first-stage", "baseline", *cells]], right=numbers)
    heading, _, row = (line.rstrip() for line in file.getvalue().splitlines()[:3])
    assert "first-stage" in row
    assert max(len(heading), len(row)) <= min(width, wide)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_narrow_terminal_folds_text_and_loses_none(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    shown = printed(monkeypatch, width, terminal=True)
    assert "…" not in shown
    assert shown.count("very") >= 290
    assert max(map(len, shown.splitlines())) <= width
    for number in ("204", "+0.041", "-0.120"):
        assert number in shown


@pytest.mark.parametrize("width", [50, 120])
def test_errors_by_group_stand_at_the_right_under_names_of_any_length(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    file = shown(monkeypatch, width, terminal=True)
    long = "folder/" * 6 + "model"
    means = [{"name": long, "mae": 0.5}, {"name": "user-mean", "mae": 0.75}]
    print_groups([{"name": f"history of {n}", "n": n, "rows": means} for n in (1, 1200)])
    _, *lines = [line for line in file.getvalue().splitlines() if line.strip()]
    rows = [line.rstrip() for line in lines if "history" in line]
    ends = [[found.end() for found in re.finditer(r"\S+", row)][3:] for row in rows]
    assert ends[0] == ends[1], "numbers stand at the right"
    assert rows[0].endswith("0.750")
    assert max(map(len, lines)) <= width
    heading = "".join("".join(lines[: lines.index(next(iter(_rules(lines))))]).split())
    assert sorted(heading) == sorted("ratings" + long + "user-mean")


def _rules(lines: list[str]) -> list[str]:
    return [line for line in lines if set(line) <= {"─", " "}]


@pytest.mark.parametrize("name", ["runs/[v2]/model", "a[/]b", "[red]x"])
@pytest.mark.parametrize("terminal", [True, False])
def test_names_in_tables_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, name: str, terminal: bool
) -> None:
    file = shown(monkeypatch, 200, terminal=terminal)
    means = [{"name": name, "mae": 0.5}, {"name": "bias", "mae": 0.75}]
    tables.print_table(("wide " * 20,), [["x"]], title=f"{name}, split by last")
    print_paired([{"a": name, "b": "bias", "diff": -0.25, "ci95": [-0.5, 0.0]}])
    print_groups([{"name": "history of 1", "n": 1200, "rows": means}])
    sizes = {"hints_given": {"2": 300, "1": 1}, "mean_hints": 1.99}
    faults = {"flags": {"repaired": 2}, "faults": {"short": 1}}
    metrics = dict.fromkeys(("hr@5", "ndcg@5", "hr@10", "ndcg@10", "mrr"), 0.5)
    row = {"name": name, "kind": "model", "llm_calls": 3, "ci95": {"ndcg@10": [0.4, 0.6]}}
    spread = {"orders": 2, "by_third": [None], "kendall_tau": 1.0, "same_first": 1.0}
    spread |= dict.fromkeys(("mean", "sd", "range"), 0.5) | {"name": name}
    document = {"rows": [row | metrics | sizes | faults], "orders": [spread], "hints": []}
    tables.print_evaluation(document, "films")
    text = file.getvalue()
    assert text.count(name) == 8
    assert f"hints of {name}: 1.99 a session (2 hints in 300 sessions, 1 hint in 1 session)" in text
    assert "-0.250" in text
    assert "1,200" in text
