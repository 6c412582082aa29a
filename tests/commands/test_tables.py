"""Tables: headings, aligned columns, whole lines in a pipe, text that stays text."""

import io

import pytest
from re2llm.commands import tables
from rich.console import Console

ROWS = [
    ["1", "active", "+0.041", "Prefer [bold]the same director[/bold] as in the history."],
    ["204", "retired", "not tried", "Prefer " + "very " * 300 + "long films."],
    ["3", "pending", "-0.120", "寿司が好きな人には、同じ店の料理を。"],
]


def printed(monkeypatch: pytest.MonkeyPatch, width: int, *, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    monkeypatch.setattr(tables, "out", console)
    monkeypatch.setattr(tables.typer, "echo", lambda text: print(text, file=file))
    tables.print_table(("hint", "status", "gain", "text"), ROWS, right=("hint", "gain"))
    return file.getvalue()


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
