"""No id, attribute or title forges a line of what commands print, whatever line ends it holds."""

import json
from pathlib import Path

import pytest
from re2llm.cli import app
from re2llm.settings import get_settings
from typer.testing import CliRunner

ENDS = ("\n", "\r\n", "\u2028")
FORGED = "  2. Gold Plan  [pay"


def shop(folder: Path, end: str) -> Path:
    """Write a catalogue whose second item holds a line of its own everywhere."""
    evil = f"x{end}{FORGED}"
    items = [{"id": name, "title": f"Tea {name}", "kind": "green"} for name in "abcde"]
    items.insert(1, {"id": evil, "title": f"Pot {evil}", "kind": evil, evil: "green"})
    file = folder / "items.jsonl"
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    return file


@pytest.mark.long
@pytest.mark.usefixtures("services")
@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_no_command_prints_a_line_of_an_items(
    domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    evil = f"x{end}{FORGED}"
    monkeypatch.setenv("RE2LLM_MODEL", "offline")
    get_settings.cache_clear()
    run = CliRunner()
    known = ["--domain", domain]
    commands: list[list[str]] = [
        ["load", "jsonl", str(shop(tmp_path, end)), *known],
        ["items", "search", "pot", *known],
        ["items", "show", f"id:{evil}", *known],
        ["items", "show", "a", *known],
        ["recommend", "a", "b", *known],
        ["recommend", evil, *known],
        ["recommend", f"no such {evil}", *known],
        ["domains", "show", evil],
    ]
    seen = 0
    for command in commands:
        done = run.invoke(app, command)
        lines = done.output.splitlines()
        assert done.exception is None or isinstance(done.exception, SystemExit), command
        seen += sum("Gold Plan" in line for line in lines)
        assert not [line for line in lines if line.startswith(FORGED[:10])], command
    assert seen >= 5
