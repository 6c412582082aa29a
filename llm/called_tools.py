"""Finds the arguments of a tool call that a server left in the text, as gpt-oss writes it."""

from __future__ import annotations

import json
import re

_CALL = re.compile(
    r"commentary\s{0,3}to=[\w.-]{1,80}(?:\s{0,3}(?:<\|constrain\|>|code|json)){0,2}\s{0,3}"
    r"(?:<\|message\|>)?\s{0,9}(?=\{)"
    r"|to=[\w.-]{1,80}\s{0,3}<\|channel\|>commentary(?:\s{0,3}(?:<\|constrain\|>|code|json)){0,2}"
    r"\s{0,3}<\|message\|>\s{0,9}(?=\{)"
)
"""Up to the arguments, with the special tokens or with what servers leave of them."""
_MOST = 20


def arguments_in(text: str) -> str:
    """Return the arguments of the last tool call in a text; empty if there is none, or it is cut.

    Args:
        text: As the model wrote it, with its thoughts.
    """
    for call in [*_CALL.finditer(text)][: -_MOST - 1 : -1]:
        try:
            _, end = json.JSONDecoder().raw_decode(text, call.end())
        except (ValueError, RecursionError):
            continue
        return text[call.end() : end]
    return ""
