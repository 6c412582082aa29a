"""JSON of others may be nested more deeply than Python reads: whoever reads it says what then."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import re2llm
from re2llm.commands.files import read_json
from re2llm.errors import InputError
from re2llm.evaluation.answer_file import read_answers
from re2llm.rating.trace_file import read_traces

ROOT = Path(re2llm.__file__).parent
READERS = {"loads", "load", "raw_decode", "literal_eval"}
PARSERS = {"json", "ast"}
OWN = {
    "llm/chat/text_calls.py": "its caller says so",
    "llm/ratings/prompt.py": "a prompt of ours",
    "llm/text/tolerant_json.py": "one text",
    "operations/recommending/answer_file.py": "answers that this run has written",
    "rating/trace_file.py": "one text",
    "rating/training/curve.py": "what a training has written",
    "rating/training/tiny_model.py": "a tokenizer of ours",
    "rating/training/trainer.py": "what a training has written",
    "rating/training/training_folder.py": "a description of ours",
}
"""Files that may read JSON without a word about depth, and what it is."""


def readings(tree: ast.AST, guarded: bool = False) -> Iterator[int]:
    """Yield the lines that read JSON where too deep a value would be a traceback."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and not guarded and reads(node.func):
            yield node.lineno
        if isinstance(node, ast.Try):
            named = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            inner = guarded or "RecursionError" in named
            for part in node.body:
                yield from readings(ast.Module([part], []), inner)
            for part in [*node.handlers, *node.orelse, *node.finalbody]:
                yield from readings(part, guarded)
        else:
            yield from readings(node, guarded)


def reads(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute) or called.attr not in READERS:
        return False
    holder = called.value
    return called.attr == "raw_decode" or (isinstance(holder, ast.Name) and holder.id in PARSERS)


def test_who_reads_json_of_others_says_what_becomes_of_deep_json() -> None:
    others = {"tests", "benchmarks", "examples", "docs"}
    folders = [one for one in ROOT.iterdir() if one.is_dir() and one.name not in others]
    folders = [one for one in folders if not one.name.startswith((".", "_"))]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    found: dict[str, list[int]] = {}
    for file in [*files, *ROOT.glob("*.py")]:
        lines = [*readings(ast.parse(file.read_text()))]
        if lines:
            found[str(file.relative_to(ROOT))] = lines
    assert {file: lines for file, lines in found.items() if file not in OWN} == {}
    assert not OWN.keys() - found.keys()


@pytest.mark.parametrize("depth", [2_000, 100_000])
async def test_files_that_are_nested_too_deeply_are_refused(tmp_path: Path, depth: int) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * depth + "]" * depth)
    with pytest.raises(ValueError, match="nested too deeply"):
        await read_json(file)
    with pytest.raises(InputError, match="holds no answer"):
        read_answers(file)
    for end in ("", "\n"):
        row = json.dumps({"user": "u", "item": "i", "model": None})
        file.write_text(row.replace("null", "[" * depth + "]" * depth) + end)
        with pytest.raises(InputError, match="is not a trace"):
            read_traces(file)
