"""Cells that hold a list or an object, as JSON, Python, numpy and PostgreSQL write them."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, cast

from .json_rows import as_object, parse_json
from .malformed import RowError
from .python_rows import as_json

_LONGEST_LITERAL = 10_000
"""The most characters of a Python list that is read: its parser takes 100 times the memory."""
_ENTRY = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[{},]|[^"{},]+', re.DOTALL)
"""A quoted entry of an array, even if it is not closed, a mark, or an entry without quotes."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MARKS = {"{": "[", "}": "]", ",": ","}
_QUOTED = re.compile(r"""'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z)|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)""")
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}\.?[0-9]{0,20}(?:e[+-]?[0-9]{1,3})?")


def bracketed(text: str) -> object:
    """Return a list that is written as in JSON, Python or numpy; the text if it is none."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        if len(text) > _LONGEST_LITERAL:
            return text
        inner = text[1:-1].strip()
        quoted = _QUOTED.findall(inner)
        try:
            if len(quoted) > 1 and not _QUOTED.sub("", inner).strip():  # Python would join them
                return [ast.literal_eval(entry) for entry in quoted]
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return inner.split() if all(map(_NUMBER.fullmatch, inner.split())) else text
    return cast("list[object]", found) if isinstance(found, list) else text


def braced(text: str) -> object:
    """Return a JSON object, a Python dict or set, or an array of PostgreSQL; else the text."""
    for written in dict.fromkeys((_as_json(text), text)):
        for form in (written, _array(written)):
            try:
                found = parse_json(form)
            except RowError:
                continue
            if as_object(found) is not None or isinstance(found, list):
                return cast("object", found)
    return text


def _as_json(text: str) -> str:
    try:
        return as_json(text)
    except RowError:
        return text


def _array(text: str) -> str:
    """Return an array of PostgreSQL as JSON; any other text gives no JSON."""
    return _ENTRY.sub(_entry, text)


def _entry(found: re.Match[str]) -> str:
    text = found[0]
    if text in _MARKS:
        return _MARKS[text]
    if text.startswith('"'):
        closed = len(text) > 1 and text.endswith('"')
        return json.dumps(_ESCAPED.sub(r"\1", text[1:-1])) if closed else text
    text = text.strip()
    if not text:
        return ""
    return "null" if text.upper() == "NULL" else json.dumps(text)
