"""Programs that CI does not run import nothing of the package that has moved."""

import ast
import importlib
from pathlib import Path

import pytest
import re2llm

ROOT = Path(re2llm.__file__).parent
PROGRAMS = sorted(
    path for name in ("benchmarks", "examples") for path in (ROOT / name).rglob("*.py")
)


def imported(program: Path) -> list[tuple[str, str]]:
    tree = ast.parse(program.read_text(encoding="utf-8"))
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("re2llm")
        for alias in node.names
    ]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_program_imports_is_there(program: Path) -> None:
    for module, name in imported(program):
        try:
            holder = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("re2llm"):
                raise
            continue  # an optional library
        if not hasattr(holder, name):
            importlib.import_module(f"{module}.{name}")


def test_an_import_that_has_moved_is_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("from re2llm.commands.console import moved_away\n")
    with pytest.raises(ModuleNotFoundError):
        test_what_a_program_imports_is_there(program)
