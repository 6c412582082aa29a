"""Text of anyone, as a terminal or a log may show it."""

from __future__ import annotations

import json
import re

_HIDDEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b"
    "\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    "\U000e0020-\U000e007f\ud800-\udfff]"
)
"""Control and format characters (Cc, Cf, Cs), except line ends, tabs, and joiners of scripts."""


_LINE_ENDS = re.compile("[\n\u2028\u2029]")
"""Those that `printable` leaves."""


def printable(text: str) -> str:
    """Return a text that gives a terminal no orders, and that reads in the order it is written.

    Args:
        text: Of anyone, such as a title with an escape sequence.
    """
    return _HIDDEN.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return a `printable` text without line ends, so that no part of it passes for another line.

    Args:
        text: Of anyone, such as an id with a line end in it.
    """
    return _LINE_ENDS.sub(" ", printable(text))


def printable_json(document: str) -> str:
    """Return the same JSON with the characters escaped that `printable` would replace.

    Args:
        document: Written by a JSON encoder.
    """
    return _HIDDEN.sub(lambda sign: json.dumps(sign[0])[1:-1], document)
