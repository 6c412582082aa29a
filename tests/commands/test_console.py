"""What anyone wrote reaches a terminal as text, and a program as JSON."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import unicodedata

import pytest
from re2llm.commands import console, tables
from re2llm.terminal_text import printable, printable_json
from rich.text import Text

HOSTILE = "a\x1b[2Jb\x1b]52;c;cm0gLXJm\x07c\x9b31md\u202ee\u2066f\x7fg\x00h[link=http://x]i[/link]:cat:[/]"
SEEN = "a[2Jb]52;c;cm0gLXJmc31mdefgh[link=http://x]i[/link]:cat:[/]"

LINE_ENDS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""All that `str.splitlines` knows."""


def is_obeyed(sign: str) -> bool:
    return sign not in "\n\t\u200c\u200d" and unicodedata.category(sign) in {"Cc", "Cf", "Cs"}


def test_every_control_and_format_character_is_replaced_and_no_other() -> None:
    signs = [chr(point) for point in range(sys.maxunicode + 1)]
    assigned = [sign for sign in signs if unicodedata.category(sign) != "Cn"]
    shown = printable("".join(assigned))
    assert [a for a, b in zip(assigned, shown, strict=True) if a != b] == [
        sign for sign in assigned if is_obeyed(sign)
    ]
    assert printable("寿司 é 👩\u200d🍳 يک\u200cشب\t\n") == "寿司 é 👩\u200d🍳 يک\u200cشب\t\n"


def test_json_says_the_same_and_holds_no_such_character() -> None:
    written = printable_json(json.dumps([HOSTILE, "\U000e0041é"], ensure_ascii=False, indent=2))
    assert not any(map(is_obeyed, written))
    assert json.loads(written) == [HOSTILE, "\U000e0041é"]
    assert "é" in written


@pytest.mark.parametrize("terminal", [True, False])
def test_a_console_obeys_nothing_in_what_it_prints(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    file = io.StringIO()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(file, "isatty", lambda: terminal)
    safe = console.SafeConsole(file=file, width=300)
    monkeypatch.setattr(tables, "out", safe)
    monkeypatch.setattr(tables.typer, "echo", lambda text: print(text, file=file))
    safe.print(HOSTILE)
    safe.print(HOSTILE, soft_wrap=True)
    safe.print(Text(HOSTILE))
    tables.print_table((HOSTILE,), [(HOSTILE,)], title=HOSTILE)
    shown = re.sub(r"\x1b\[[\d;]*m", "", file.getvalue())  # rich's own bold headings
    assert not any(map(is_obeyed, shown))
    assert shown.replace("\ufffd", "").count(SEEN) == 6


@pytest.mark.parametrize("terminal", [True, False])
def test_a_text_is_one_line_whatever_it_holds(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: terminal)
    safe = console.SafeConsole(file=file, width=300)
    monkeypatch.setattr(tables, "out", safe)
    monkeypatch.setattr(tables.typer, "echo", lambda text: print(text, file=file))
    forged = "a".join(["one", *LINE_ENDS, "two"])
    safe.print(f"1. {forged}", f"[{forged}]")
    safe.print_line(f"2. {forged}")
    tables.print_table(("id",), [(forged,)], title=forged)
    lines = [line for line in file.getvalue().splitlines() if "one" in line]
    assert len(lines) == 4
    assert all("one" in line and "two" in line for line in lines)


def test_the_commands_print_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(console.out, console.SafeConsole)
    assert isinstance(console.err, console.SafeConsole)
    console.print_json({"title": HOSTILE})
    shown = capsys.readouterr().out
    assert not any(map(is_obeyed, shown))
    assert json.loads(shown) == {"title": HOSTILE}


def test_warnings_without_a_servers_log_are_plain_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert logging.lastResort is not None
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, "said %s", (HOSTILE,), None)
    logging.lastResort.handle(record)
    shown = capsys.readouterr().err
    assert "said a" in shown
    assert not any(map(is_obeyed, shown))


def test_an_error_that_is_logged_is_one_line_unless_the_command_serves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logging.lastResort is not None
    # Another test may have run a command that serves.
    monkeypatch.setattr(logging.lastResort, "formatter", console._Lines())
    with pytest.raises(KeyError) as raised:
        {}[HOSTILE]
    failed = (KeyError, raised.value, raised.tb)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "it failed", (), failed)
    logging.lastResort.handle(record)
    shown = capsys.readouterr().err
    assert shown.startswith("it failed (KeyError: ")
    assert shown.count("\n") == 1
    console.log_traces()
    logging.lastResort.handle(record)
    traced = capsys.readouterr().err
    assert "Traceback" in traced
    assert not any(map(is_obeyed, shown + traced))
