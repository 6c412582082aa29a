"""Chooses among a model's tool calls, and finds those of gpt-oss that a server left in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_CALL = re.compile(
    r"commentary\s{0,3}to=([\w.-]{1,80})(?:\s{0,3}(?:<\|constrain\|>|code|json)){0,2}\s{0,3}"
    r"(?:<\|message\|>)?\s{0,9}(?=\{)"
    r"|to=([\w.-]{1,80})\s{0,3}<\|channel\|>commentary(?:\s{0,3}(?:<\|constrain\|>|code|json)){0,2}"
    r"\s{0,3}<\|message\|>\s{0,9}(?=\{)"
)
"""A call up to its arguments, with the special tokens or what servers leave of them."""
_MOST = 20


def is_asked(name: str, tool: str) -> bool:
    """Whether a call's name is the tool's that was asked for, perhaps behind a namespace."""
    return bool(tool) and name.rpartition(".")[2] == tool


def asked_for(calls: Sequence[tuple[str, str]], tool: str) -> str:
    """Return the arguments of calls, each in a line of its own, as a text with drafts has them.

    Args:
        calls: Their names and arguments.
        tool: The name that was asked for. Calls of another one count only without any of this one.
    """
    named = [said for name, said in calls if is_asked(name, tool)]
    return "\n".join(named or [said for _, said in calls])


def arguments_in(text: str, tool: str = "") -> str:
    """Return the arguments of the tool calls in a text; empty if there is none, or it is cut.

    Args:
        text: The text as the model wrote it, with its thoughts.
        tool: The name that was asked for.
    """
    calls: list[tuple[str, str]] = []
    for call in [*_CALL.finditer(text)][-_MOST:]:
        try:
            _, end = json.JSONDecoder().raw_decode(text, call.end())
        except (ValueError, RecursionError):
            continue
        calls.append((call[1] or call[2], text[call.end() : end]))
    return asked_for(calls, tool)
