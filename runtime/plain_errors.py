"""Pydantic's errors in plain sentences, which name no type of Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic_core import ErrorDetails

_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
"""How pydantic calls a field that a model, or a dataclass, does not have."""
_SAYINGS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "It is missing",
        **dict.fromkeys(_UNKNOWN, "There is no such field"),
        "string_unicode": "It holds characters that are no text",
        "int_parsing_size": "The number is too large",
        "invalid_key": "Its keys must be texts",
        "none_required": "It must be null",
    }
)
_KIND: Mapping[str, str] = MappingProxyType(
    {
        "string": "a text",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        **dict.fromkeys(("list", "tuple", "set"), "a list"),
        **dict.fromkeys(("dict", "mapping", "model", "model_attributes", "dataclass"), "an object"),
    }
)
_EXACT = 2.0**53
"""From here on, a float may stand for several whole numbers; so it is taken for none."""
_OF_KIND = ("_type", "_parsing", "_from_float")
"""How types of errors end that say only of what kind a value must be."""
_SUBJECT = re.compile(r"^[A-Z]\w+ should (be|have|match)\b")
_OF_ITEMS = re.compile(r"(\bat (?:least|most) \d+) item(s?)\b")
_AFTER = re.compile(r"(?: after validation)?, not \d+$")


def sentence(error: ErrorDetails, known: Iterable[str] = ()) -> str:
    """Return what is wrong with a value as a sentence about it.

    Args:
        error: From pydantic.
        known: The fields that there are, to name where there is no such field.
    """
    kind, said = error["type"], error["msg"]
    names = ", ".join(f"`{name}`" for name in known)
    if kind in _UNKNOWN and names:
        return f"{_SAYINGS[kind]}. There are {names}."
    of_kind = next((kind.removesuffix(end) for end in _OF_KIND if kind.endswith(end)), "")
    if of_kind == "int" and _is_large(error.get("input")):
        kind = "int_parsing_size"
    if kind in _SAYINGS:
        said = _SAYINGS[kind]
    elif of_kind in _KIND:
        said = f"It must be {_KIND[of_kind]}"
    elif kind in {"value_error", "assertion_error"}:  # the words of our own checks
        said = said.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    else:
        if isinstance(error.get("input"), str):  # a limit around a validator counts in items
            said = _OF_ITEMS.sub(r"\1 character\2", said)
        said = _AFTER.sub("", _SUBJECT.sub(r"It must \1", said))
        said = said.replace("must have at most", "may have at most")
    return f"{said.rstrip('.')}."


def _is_large(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer() and abs(value) >= _EXACT
