"""Finds a package's regular expressions, and texts on which one takes more than linear time."""

from __future__ import annotations

import ast
import builtins
import gc
import re
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from re import _constants as codes  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

CALLS = {
    *("compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"),
}
POOL = " \n\ta1_-.,\"'<>&;/|([{*#:=\u00e9\0"
"""Characters of which texts are made, beside those of the pattern."""
SIZES = (20, 40, 256, 2_048)
SUSPECT = 0.003
"""Seconds that a linear pattern does not take for any of the sizes."""
GROWTH = 2.8
"""More than this for a text twice as long is no linear time; it is compared over three doublings,
where linear time grows 8 times and quadratic time 64 times."""
PLENTY = 0.3
CONFIRMATIONS = 3
"""A machine that halts for a moment makes one measurement long, not three in a row."""

Use = Callable[[re.Pattern[str], str], None]


class _Unknown(str):
    """What stands for a value that only a call knows."""

    __slots__ = ()

    def __getattr__(self, name: str) -> _Unknown:
        return self

    def __call__(self, *_: Any) -> _Unknown:
        return self


class _Names(dict[str, Any]):
    """A module's constants, read from its source when a pattern needs them."""

    def __init__(self, tree: ast.Module) -> None:
        super().__init__(re=re)
        self._source = {
            target.id: node.value
            for node in tree.body
            for target in _targets(node)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        }

    def __missing__(self, name: str) -> Any:
        if name in self._source:
            self[name] = _value(self._source[name], self)
            return self[name]
        return getattr(builtins, name, _Unknown("ab"))


def _targets(node: ast.stmt) -> list[ast.Name]:
    listed = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target for target in listed if isinstance(target, ast.Name)]


def patterns_of(package: Path) -> dict[str, re.Pattern[str]]:
    """Return all patterns of a package by file and line, without importing it.

    What only a call knows, such as a word that is escaped into a pattern, is "ab".

    Args:
        package: Its folder; tests and what is not installed are left out.
    """
    found: dict[str, re.Pattern[str]] = {}
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside.parts[0] in {"tests", "benchmarks", "examples", ".venv", "build"}:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = _Names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _compiles(node.func):
                found[f"{inside}:{node.lineno}"] = _compiled(node, names)
    return found


def _compiles(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in CALLS
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
    )


def _compiled(call: ast.Call, names: _Names) -> re.Pattern[str]:
    flags = next((word.value for word in call.keywords if word.arg == "flags"), None)
    compiles = isinstance(call.func, ast.Attribute) and call.func.attr == "compile"
    if flags is None and compiles and len(call.args) > 1:
        flags = call.args[1]
    return re.compile(_value(call.args[0], names), _value(flags, names) if flags else 0)


def _value(node: ast.expr, names: _Names) -> Any:
    return eval(compile(ast.Expression(node), "<pattern>", "eval"), {}, names)  # noqa: S307


def slow_text(pattern: re.Pattern[str]) -> str | None:
    """Return the beginning of a text for which a pattern takes more than linear time, or `None`.

    Args:
        pattern: Any.
    """
    for make in _growing(pattern):
        for use in (_finds, _fits):
            if all(_grows(pattern, make, use) for _ in range(CONFIRMATIONS)):
                return f"{make(60)!r} ({use.__name__})"
    return None


def _grows(pattern: re.Pattern[str], make: Callable[[int], str], use: Use) -> bool:
    """Whether time grows faster than the text, and is not just long once."""
    # Exponential patterns are found before they meet a text that they would never finish.
    size = next((n for n in SIZES if _seconds(pattern, make(n), use, 1) > SUSPECT), None)
    if size is None:
        return False
    if _seconds(pattern, make(size), use, 3) > SUSPECT and size == SIZES[0]:
        return True
    # Of one doubling, other programs may hide the growth.
    first, last = (_seconds(pattern, make(int(size * n)), use, 5) for n in _span(size))
    return last > GROWTH**3 * first


def _span(size: int) -> tuple[float, float]:
    """Return the shares of a size whose times are compared, three doublings apart."""
    # What is slow already for a short text may never end for a longer one.
    return (0.25, 2) if size > SIZES[1] else (0.125, 1)


def _seconds(pattern: Any, text: str, use: Use, tries: int) -> float:
    taken: list[float] = []
    collects = gc.isenabled()
    gc.disable()  # a collection in a large test process takes longer than the search
    try:
        for _ in range(tries):
            started = time.thread_time()
            use(pattern, text)
            taken.append(time.thread_time() - started)
            if taken[-1] > PLENTY:
                break
    finally:
        if collects:
            gc.enable()
    return min(taken)


def _finds(pattern: re.Pattern[str], text: str) -> None:
    for _ in pattern.finditer(text):
        pass


def _fits(pattern: re.Pattern[str], text: str) -> None:
    pattern.fullmatch(text)


def _growing(pattern: re.Pattern[str]) -> Iterator[Callable[[int], str]]:
    """Yield makers of texts of a length, made of what the pattern itself holds."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    starts = dict.fromkeys(islice(dict.fromkeys(_beginnings(tree)), 16))
    signs = dict.fromkeys([*POOL, *islice(_signs(tree), 30)])
    pumped = dict.fromkeys(islice(dict.fromkeys(_pumped(tree)), 8))
    units = dict.fromkeys([*signs, *pumped, *starts, *(a + b for a in pumped for b in " \n1a")])
    for unit in units:
        if unit:
            yield lambda size, unit=unit: unit * (size // len(unit) + 1)
            yield lambda size, unit=unit: unit * (size // len(unit) + 1) + "\0\n"
    for start in starts:
        for unit in dict.fromkeys([*pumped, *" \na"]):
            if start and unit:
                both = (start, unit)
                yield lambda size, both=both: both[0] + both[1] * (size // len(both[1])) + "\0"
                yield lambda size, both=both: "".join(both) * (size // len("".join(both)) + 1)


def _beginnings(tree: Any) -> Iterator[str]:
    """Yield what matches the pattern up to each of its parts."""
    before = ""
    for part in tree:
        for inner in _inside(part):
            for start in _beginnings(inner):
                yield before + start
        before += _sample([part])
        yield before


def _pumped(tree: Any) -> Iterator[str]:
    """Yield what a repeated part of the pattern matches."""
    for code, value in tree:
        for inner in _inside((code, value)):
            yield from _pumped(inner)
        if code in _REPEATS and value[1] > 1:
            yield _sample(value[2])


def _signs(tree: Any) -> Iterator[str]:
    for code, value in tree:
        if code is codes.LITERAL:
            yield chr(value)
        for inner in _inside((code, value)):
            yield from _signs(inner)


_REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}


def _inside(part: Any) -> list[Any]:
    code, value = part
    if code in _REPEATS:
        return [value[2]]
    if code is codes.SUBPATTERN:
        return [value[3]]
    if code is codes.BRANCH:
        return list(value[1])
    if code in {codes.ASSERT, codes.ASSERT_NOT}:
        return [value[1]]
    return [value] if code is codes.ATOMIC_GROUP else []


def _sample(tree: Any) -> str:
    """Return a text that a part of a pattern matches, as far as this simple reading goes."""
    return "".join(_sample_of(code, value) for code, value in tree)


def _sample_of(code: Any, value: Any) -> str:  # noqa: PLR0911  # one for each kind of part
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.NOT_LITERAL:
        return "a" if value != ord("a") else "b"
    if code is codes.ANY:
        return "a"
    if code is codes.IN:
        return next((sign for sign in POOL if _holds(value, sign)), _first_of(value))
    if code in _REPEATS:
        return _sample(value[2]) * max(1, value[0])
    if code is codes.BRANCH:
        return _sample(value[1][0])
    if code is codes.SUBPATTERN:
        return _sample(value[3])
    return _sample(value) if code is codes.ATOMIC_GROUP else ""


def _holds(members: Any, sign: str) -> bool:
    kinds = {
        codes.CATEGORY_SPACE: str.isspace,
        codes.CATEGORY_DIGIT: str.isdigit,
        codes.CATEGORY_WORD: lambda one: one.isalnum() or one == "_",
    }
    inverse = {
        codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE,
        codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT,
        codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD,
    }
    found = False
    for code, value in members:
        if code is codes.LITERAL:
            found = found or ord(sign) == value
        elif code is codes.RANGE:
            found = found or value[0] <= ord(sign) <= value[1]
        elif code is codes.CATEGORY:
            known = inverse.get(value, value)
            found = found or kinds[known](sign) is (known is value)
    return found is not any(code is codes.NEGATE for code, _ in members)


def _first_of(members: Any) -> str:
    for code, value in members:
        if code is codes.LITERAL:
            return chr(value)
        if code is codes.RANGE:
            return chr(value[0])
    return "a"
