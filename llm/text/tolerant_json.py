"""Reads JSON as models write it: with other quotes, bare keys, tuples, comments, or cut off."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_DEEPEST = 20
_MOST_WHOLE = 1_000_000
_BLANK = re.compile(r"(?:\s|//[^\n]{0,500}|\#\s[^\n]{0,500}|/\*[^*]{0,500}\*/)*+")
_NUMBER = re.compile(r"[+-]?\d{1,300}(?:\.\d{1,300})?(?:[eE][+-]?\d{1,3})?")
_BARE_KEY = re.compile(r"[^\W\d][\w-]{0,60}|\d{1,6}")
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
    "NaN": None,
    "nan": None,
    "undefined": None,
}
_WORD = re.compile("|".join(_WORDS))
_LISTS = {"[": "]", "(": ")"}
"""How a list begins and ends; a tuple of Python is one."""
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u201e": "\u201c"}
_AFTER_TEXT = {
    "}": re.compile(r"\s{0,100}(?:[,:}]|\Z)"),
    "]": re.compile(r"\s{0,100}(?:[,\]}]|\Z)"),
    ")": re.compile(r"\s{0,100}(?:[,)}]|\Z)"),
}
"""What follows a text within an object or a list that ends so."""
_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A value that a text holds.

    Attributes:
        value: An object or a list.
        end: Where it ends in the text.
        cut: Whether the text ends before it does. What was cut in the middle is left out.
        in_list: Whether it is cut within a list.
    """

    value: Any
    end: int
    cut: bool = False
    in_list: bool = False


def decode_tolerantly(text: str, start: int, largest: int = 0) -> Decoded:
    """Decode the object or list that begins at a place.

    Args:
        text: The text that holds the JSON.
        start: Where its first bracket is.
        largest: A number that ends the text is kept if more digits would make it larger than this.

    Raises:
        ValueError: There is none.
    """
    reader = _Reader(text, start, largest)
    value = reader.value(0)
    if value is _MISSING:
        raise ValueError(start)
    return Decoded(value, reader.at, reader.cut, reader.in_list)


def as_number(written: str) -> int | float:
    """Read "8.0" and "8e0" as the whole number that they are."""
    number = float(written)
    return int(number) if number.is_integer() and abs(number) <= _MOST_WHOLE else number


class _Reader:
    def __init__(self, text: str, start: int, largest: int) -> None:
        self._text, self._largest = text, largest
        self.at = start
        self.cut = self.in_list = False
        self._within = "}"

    def value(self, depth: int) -> Any:
        """Return the next value; `_MISSING` where the text ends before or within a simple one."""
        sign = self._next()
        if depth > _DEEPEST:
            raise ValueError(depth)
        if sign == "{" or sign in _LISTS:
            outer, self._within = self._within, _LISTS.get(sign, "}")
            held = self._object(depth) if sign == "{" else self._list(depth, self._within)
            self._within = outer
            return held
        if sign in _QUOTES:
            return self._string(_QUOTES[sign])
        if found := _NUMBER.match(self._text, self.at):
            return self._number(found)
        if found := _WORD.match(self._text, self.at):
            self.at = found.end()
            return _WORDS[found[0]]
        if sign and not self._cut_word():
            raise ValueError(self.at)
        self.cut = True
        return _MISSING

    def _next(self) -> str:
        """Return the next sign that is no blank; empty at the end."""
        found = _BLANK.match(self._text, self.at)
        self.at = found.end() if found else self.at
        return self._text[self.at : self.at + 1]

    def _cut_word(self) -> bool:
        rest = self._text[self.at :][:6]
        return rest == "-" or any(word.startswith(rest) for word in _WORDS)

    def _number(self, found: re.Match[str]) -> Any:
        self.at = found.end()
        number = as_number(found[0])
        if self.at == len(self._text):
            self.cut = True
            if abs(number) * 10 <= self._largest:
                return _MISSING
        return number

    def _string(self, closing: str) -> Any:
        text, start = self._text, self.at + 1
        end = text.find(closing, start)
        while end >= 0:
            before = end
            while text[before - 1] == "\\":
                before -= 1
            # A quotation mark within the text need not be escaped.
            if (end - before) % 2 == 0 and _AFTER_TEXT[self._within].match(text, end + 1):
                break
            end = text.find(closing, end + 1)
        if end < 0:
            self.at, self.cut = len(text), True
            return _MISSING
        self.at = end + 1
        held = text[start:end]
        try:
            return json.loads(f'"{held}"', strict=False)
        except ValueError:
            return held

    def _key(self, sign: str) -> Any:
        if sign in _QUOTES:
            return self._string(_QUOTES[sign])
        found = _BARE_KEY.match(self._text, self.at)
        if found is None:
            raise ValueError(self.at)
        self.at = found.end()
        return found[0]

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        held: dict[str, Any] = {}
        sign = self._next()
        while sign != "}":
            key = self._key(sign) if sign else _MISSING
            sign = self._next()
            value = _MISSING
            if sign == ":":
                self.at += 1
                value = self.value(depth + 1)
            elif sign:
                raise ValueError(self.at)
            if value is not _MISSING and isinstance(key, str):
                held[key] = value
            sign = self._part("}")
            if not sign:
                return held
        self.at += 1
        return held

    def _list(self, depth: int, closing: str) -> list[Any]:
        self.at += 1
        held: list[Any] = []
        sign = self._next()
        while sign != closing:
            was_cut = self.cut
            value = self.value(depth + 1) if sign else _MISSING
            unfinished = isinstance(value, dict) and self.cut and not was_cut
            if value is not _MISSING and not unfinished:
                held.append(value)
            if not sign or (self.cut and not isinstance(value, dict | list)):
                self.in_list = True
            sign = self._part(closing)
            if not sign:
                self.in_list = self.in_list or unfinished
                return held
        self.at += self._text.startswith(closing, self.at)
        return held

    def _part(self, closing: str) -> str:
        """Return the next sign after a comma; the closing one, or nothing at the end."""
        if self.cut:
            return ""
        before = self.at
        sign = self._next()
        if sign and sign in ",;":
            self.at += 1
            sign = self._next()
        elif closing != "}" and sign == "}":
            return closing  # it stays, to close the object
        elif closing != "}" and sign.isdigit() and self.at > before:
            return sign  # "[5 2 6]"
        elif sign not in {closing, ""}:
            raise ValueError(self.at)
        if not sign:
            self.cut = True
            self.in_list = closing != "}"
        return sign
