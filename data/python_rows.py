"""Rows that Python wrote, such as `{u'id': 7, u'new': True}`, as JSON.

Steam's reviews and Amazon's of 2014 are in this form.
"""

from __future__ import annotations

import json
import re

from .malformed import RowError

_OPENINGS = ("{'", "{u'", '{u"')
_TOKEN = re.compile(
    r"""u?'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z)|u?"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)"""
    r"""|\b(?:True|False|None)\b""",
    re.DOTALL,
)
"""A text, even if it is not closed, or a name of a value."""
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_NAMES = {"True": "true", "False": "false", "None": "null"}
_MARKS = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


def as_json(text: str) -> str:
    """Return a row that Python wrote as JSON, and any other text as it is.

    Nothing is evaluated: texts and names are written again, and what is no JSON then remains none.

    Raises:
        RowError: A text holds a character that there is not.
    """
    return _TOKEN.sub(_written, text) if text.lstrip().startswith(_OPENINGS) else text


def _written(token: re.Match[str]) -> str:
    text = token[0]
    if text in _NAMES:
        return _NAMES[text]
    body = text.removeprefix("u")
    if len(body) == 1 or body[-1] != body[0]:
        return text  # it is not closed
    return json.dumps(_ESCAPE.sub(_character, body[1:-1]))


def _character(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    if code is None:
        return _MARKS.get(escape[4], escape[0])
    try:
        return chr(int(code, 16))
    except (ValueError, OverflowError) as error:
        raise RowError(f"holds {escape[0]}, which is no character") from error
