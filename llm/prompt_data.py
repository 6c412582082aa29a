"""Writes data for prompts: documents as JSON, and items cut so that none crowds out the task."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from ..records import AttributeValue, Item


def prompt_json(document: object) -> str:
    """Write a document for a prompt.

    No text in it holds a `<`, which is escaped as JSON allows: chat templates read `<|im_end|>` in
    a title as the end of the message, and strings as such are no defence.

    Args:
        document: Anything that JSON can hold.
    """
    return json.dumps(document, ensure_ascii=False).replace("<", "\\u003c")


def item_entry(
    item: Item, *, cut: Callable[[str], str], most: int, reserved: AbstractSet[str]
) -> dict[str, Any]:
    """Return an item's title and attributes as an object of a prompt's document.

    Args:
        item: What to show.
        cut: Shortens a text that is too long.
        most: Entries of a list that are shown.
        reserved: The document's own keys, for which no attribute may pass.
    """
    facts = {
        cut(key): _shown(value, cut, most)
        for key, value in sorted(item.attributes.items())
        if key not in reserved
    }
    return {"title": cut(item.title), **facts}


def _shown(value: AttributeValue, cut: Callable[[str], str], most: int) -> AttributeValue:
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, int | float):
        return value
    return [cut(part) for part in value[:most]]
