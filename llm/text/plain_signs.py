"""Writes the signs of any script and keyboard as the readers of answers expect them."""

from __future__ import annotations

import re

NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
)
"""The index is the number."""
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth"),
    *("seventeenth", "eighteenth", "nineteenth", "twentieth"),
)
"""The ordinals from the first."""
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_DIGIT = re.compile(r"(?![0-9])\d")
_INVISIBLE = "\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2060\ufeff\ufe0e\ufe0f\u20e3"
"""Invisible signs, among them those that turn a digit into an emoji."""
_FULL_WIDTH = "\uff01\uff03\uff08\uff09\uff0c\uff0d\uff0e\uff1a\uff1b\uff1e\uff3b\uff3d\uff5b\uff5d"
"""Without quotation marks, which would end a text within JSON."""
_TABLE = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u1680\u2007\u202f\u205f\u3000", " "),
        **dict.fromkeys(_INVISIBLE, ""),
        **{chr(code): "" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
        **{sign: chr(ord(sign) - 0xFEE0) for sign in _FULL_WIDTH},
        "\u3001": ",",
        "\u060c": ",",
        "\u3010": "[",
        "\u3011": "]",
        "\u2212": "-",
        "\u2192": "->",
        "\u21d2": "->",
        "\u227b": ">",
        **{chr(0x2460 + place): f" {place + 1} " for place in range(20)},  # in circles
        **{medal: f"{n}. " for n, medal in enumerate("\U0001f947\U0001f948\U0001f949", 1)},
    }
)


def plain_signs(text: str) -> str:
    """Return a text with ASCII digits, plain blanks and line ends, and nothing invisible.

    Args:
        text: To compare or to read numbers from, not to be shown.
    """
    if not text.isascii():
        text = _DIGIT.sub(lambda found: str(int(found[0])), text.translate(_TABLE))
    return _LINE_ENDS.sub("\n", text)
