"""What a person has liked so far, as the chat's own tool calls show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ..llm.text.json_values import is_list, is_object

_LIKED = 0.75
"""Position of a like without a number on the scale: 4 on a scale of 1 to 5."""


def reviews_so_far(messages: Sequence[BaseMessage], request: Mapping[str, Any]) -> list[Any]:
    """Return a history for a rating whose request has none.

    What recommendations were based on, and what was picked, counts as liked; dislikes appear in no
    tool call.

    Args:
        messages: The messages of the thread, oldest first.
        request: The arguments of `rate`: the item, which is left out, and the scale.

    Returns:
        Reviews as `rate` takes them, oldest first, no title twice.
    """
    answers = {m.tool_call_id: m.artifact for m in messages if isinstance(m, ToolMessage)}
    calls = [call for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    titles: dict[Any, str] = {}
    liked: list[str] = []
    for call in calls:
        artifact: Any = answers.get(call["id"] or "")
        if not is_object(artifact):
            continue
        found = [
            item for title in _objects(artifact, "titles") for item in _objects(title, "items")
        ]
        for item in (*found, *_objects(artifact, "items")):
            titles[str(item.get("id"))] = str(item.get("title"))
        if call["name"] == "recommend":
            ids = [str(one) for one in _list(artifact, "history")]
            typed = dict(zip(ids, _list(call["args"], "history"), strict=False))
            named = [titles.get(one) or str(typed.get(one, one)) for one in ids]
            # An id whose title is unknown says nothing about taste.
            liked += [name for one, name in zip(ids, named, strict=True) if name != one]
        elif call["name"] == "feedback" and artifact.get("picked"):
            picked = str(artifact["picked"])
            liked.append(titles.get(picked) or str(call["args"].get("picked")))
    item = request.get("item")
    rated = str(item.get("title")).casefold() if is_object(item) else ""
    lowest, highest = request.get("lowest", 1), request.get("highest", 5)
    try:
        rating = lowest + _LIKED * (highest - lowest)
    except (TypeError, OverflowError):  # which the tool itself will say
        return []
    return [
        {"title": title, "rating": rating}
        for title in dict.fromkeys(liked)
        if title.casefold() != rated
    ]


def _objects(value: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in _list(value, name) if is_object(one)]


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    listed = value.get(name)
    return listed if is_list(listed) else []
