"""Arguments by the labels of their fields: a person at a page does not know their names."""

from __future__ import annotations

import re

_ARGUMENT = re.compile(r"`(\w+)`")
LABELS = {
    "force": "Even if it is worse than the active one",
    "max_llm_calls": "Most model calls",
    "max_tokens": "Most tokens",
    "max_cost": "Most cost",
}


def in_labels(text: str) -> str:
    """Return a text with labels for the arguments in backticks that pages have fields for.

    Args:
        text: The problem or the remedy of an error.
    """
    return _ARGUMENT.sub(lambda found: _quoted(found[1]) or found[0], text)


def _quoted(argument: str) -> str:
    label = LABELS.get(argument, "")
    return label and f"\N{LEFT DOUBLE QUOTATION MARK}{label}\N{RIGHT DOUBLE QUOTATION MARK}"
