"""Messages count as a person does: `1 session`, `2 sessions`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from re2llm.records import counted

ROOT = Path(__file__).parents[1]
SKIPPED = {"tests", "build", "migrations", "docs"}
MORE_NOUNS = {"character", "candidate", "item", "error", "second", "warning", "answer", "line"}
"""Beside those that `counted` is called with anywhere."""
ALWAYS_MORE = re.compile(r"[A-Z_.]*[A-Z]{3}[A-Z_]*")
"""A constant, whose number is known to whoever writes the sentence."""


NO_COUNT = "has|takes|shares|answers|in|on|among"
"""Words after a name, not after a number."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if not SKIPPED.intersection(parts) and not any(part.startswith(".") for part in parts):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def nouns(code: ast.Module) -> Iterator[str]:
    """The last word of what is counted: `session` of `training session`."""
    for node in ast.walk(code):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "counted":
            one = node.args[1]
            assert isinstance(one, ast.Constant), "counted: write the word where it is said"
            yield str(one.value).removesuffix(" is").removesuffix(" was").split()[-1]


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")


def unsound(code: ast.Module, said: re.Pattern[str]) -> Iterator[str]:
    """Numbers that stand right before a plural, whatever they are."""
    for node in ast.walk(code):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if not (isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant)):
                continue
            expression = ast.unparse(value.value)
            known = ALWAYS_MORE.search(expression) or expression.startswith("counted(")
            if not known and said.match(str(text.value)):
                yield f"{node.lineno}: {{{expression}}}{text.value}"


@pytest.fixture(scope="module")
def said() -> re.Pattern[str]:
    words = MORE_NOUNS | {noun for _, code in trees() for noun in nouns(code)}
    assert {"session", "hint", "call"} <= words
    listed = "|".join(map(plural, sorted(words)))
    return re.compile(rf"\s+(?!(?:{NO_COUNT})\b)(?:[a-z]+ ){{0,3}}(?:{listed})\b(?! of)")


@pytest.mark.long
def test_no_message_puts_a_number_before_a_fixed_plural(said: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}" for path, code in trees() for line in unsound(code, said)
    ]
    assert not found, "\n".join(["use records.counted:", *found])


def test_a_fixed_plural_would_be_found(said: re.Pattern[str]) -> None:
    for planted in (
        'f"{left:,} sessions are left"',
        'f"made {calls} model calls."',
        'f"{len(x)} more training sessions"',
        'f"{missed} misses"',
    ):
        assert list(unsound(ast.parse(planted), said)), planted
    assert not list(unsound(ast.parse('f"{FEWEST_SESSIONS} sessions are enough"'), said))


@pytest.mark.parametrize(
    ("number", "words", "written"),
    [
        (0, ("item",), "0 items"),
        (1, ("item",), "1 item"),
        (2, ("item",), "2 items"),
        (1_200, ("training session",), "1,200 training sessions"),
        (1, ("hint is", "hints are"), "1 hint is"),
        (3, ("hint is", "hints are"), "3 hints are"),
        (5, ("miss", "misses"), "5 misses"),
    ],
)
def test_numbers_of_things_are_written_with_their_noun(
    number: int, words: tuple[str, ...], written: str
) -> None:
    assert counted(number, *words) == written
