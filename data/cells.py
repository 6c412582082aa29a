"""What a cell of a table says: nothing, a number, a list, a text."""

from __future__ import annotations

import re
from collections.abc import Collection

from .listed_cells import braced, bracketed

NOTHING = frozenset(
    {
        *("nan", "NaN", "NaT", "<NA>", "null", "NULL", "<null>", "(null)", "\\N"),
        *("None", "N/A", "#N/A"),
    }
)
"""What programs write for a value that is not there; databases dump it as `\\N`."""
NO_FACT = NOTHING | {"NA"}
"""What stands for no fact, user or time: R writes `NA`, which may be an item's id or title.

In a format that has gaps of its own, `NA` may be a fact, too, such as Namibia or North America.
"""
_FIGURES = frozenset("0123456789+-.eE, \t\r\n")
_QUOTES = ("'", '"')
_OPENING = ("[", "(", "{")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_WHOLE = re.compile(r"0{0,20}([0-9]{1,18})(?:\.0{1,12})?")
_POWER = re.compile(r"([0-9])(?:\.([0-9]{1,15}))?[eE]\+?([0-9]{1,2})")
_SHORTENED = re.compile(r"[0-9](?:[.,][0-9]{1,9})?E\+[1-9][0-9]")
_LONG_POWERS = range(11, 20)
"""Spreadsheets write whole numbers of fewer digits in full, and no code of a product has more."""


def is_given(cell: object) -> bool:
    """Return whether a cell holds a fact, a user or a time."""
    return cell is not None and not (isinstance(cell, str) and cell.strip() in {"", *NO_FACT})


def cell_value(text: str, nothing: Collection[str] = NO_FACT) -> object:
    """Return a cell as JSON would hold it: numbers as such, `a|b`, `["a", "b"]`, `{a,b}` as lists.

    Args:
        text: The text of the cell.
        nothing: Texts that stand for no fact.
    """
    text = text.strip()
    if text in nothing:
        return None
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if text.startswith("[") and text.endswith("]"):
        return bracketed(text)
    if text.startswith("{") and text.endswith("}"):
        return braced(text)
    return [part.strip() for part in text.split("|")] if "|" in text else text


def is_list(cell: object) -> bool:
    """Return whether a cell is a list, or a text in which brackets enclose values.

    JSON, Python, numpy and databases write lists so.
    Brackets around what may be one id make no list: `[Rec]`, or a UUID in braces.
    """
    if not isinstance(cell, str):
        return isinstance(cell, list)
    text = cell.strip()
    if text[:1] not in _OPENING:  # as almost all ids do: this is asked of each one
        return False
    inner = text[1:-1].strip()
    figures = any(map(str.isdigit, inner)) and _FIGURES.issuperset(inner)
    quoted = inner[:1] in _QUOTES and inner[-1:] in _QUOTES
    match text[:1] + text[-1:] if len(text) > 1 else "":
        case "[]":
            return not inner or figures or quoted or "," in inner
        case "()":
            return "," in inner and (figures or quoted)
        case "{}":
            return "," in inner or ":" in inner or quoted
        case _:
            return False


def is_shortened(text: str) -> bool:
    """Return whether a long number was written with a power of ten, as spreadsheets write EANs.

    Its last digits are lost then: `4.00638E+12` may be any of ten million numbers.
    """
    if "+" not in text[-4:-2] or _SHORTENED.fullmatch(text) is None:
        return False
    return int(text[-2:]) in _LONG_POWERS


def plain_number(text: str) -> str | None:
    """Return a whole number as its digits alone, as `7` of `007`, `7.0` and `7e0`; else `None`."""
    whole = _WHOLE.fullmatch(text)
    if whole:
        return str(int(whole[1]))
    power = _POWER.fullmatch(text)
    if power is None:
        return None
    digits, places = (power[2] or "").rstrip("0"), int(power[3])
    return str(int(power[1] + digits.ljust(places, "0"))) if len(digits) <= places else None
