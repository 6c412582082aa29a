"""Shortens a chat that is too long for its model, by whole turns from the oldest on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from ..message_length import message_length, without_fields

_NOTE = (
    "The earlier messages of this conversation are left out here, because they were too long. If "
    "you need something that the person said in them, ask again."
)
_KEPT = 4
"""One part in this many is kept: servers seldom say by how much a prompt was too long."""


def chat_length(messages: Sequence[BaseMessage], left_out: Collection[str] = ()) -> int:
    """Return the bytes of a prompt.

    Args:
        messages: The prompt.
        left_out: Fields of messages that are not sent.
    """
    return sum(map(message_length, without_fields(messages, left_out)))


def shortened_chat(
    messages: Sequence[BaseMessage], too_long: int, left_out: Collection[str] = ()
) -> list[BaseMessage] | None:
    """Return a prompt with only the newest turns; its system message says so.

    The last turn, from what the person said last, and all system messages are always kept. No tool
    call is parted from its answer, since a turn holds both.

    Args:
        messages: The prompt, oldest first; none of them is changed.
        too_long: Bytes that were too long for the model.
        left_out: Fields of messages that are not sent.

    Returns:
        At most a quarter of the turns' bytes and of `too_long`, or the last turn alone if that
        is longer; `None` if there is only one turn.
    """
    rules = [message for message in messages if isinstance(message, SystemMessage)]
    turns = _turns([message for message in messages if not isinstance(message, SystemMessage)])
    lengths = [chat_length(turn, left_out) for turn in turns]
    room = min(too_long, sum(lengths)) // _KEPT
    first = len(turns) - 1
    while first > 0 and sum(lengths[first - 1 :]) <= room:
        first -= 1
    if first <= 0:
        return None
    return [*_noted(rules), *(message for turn in turns[first:] for message in turn)]


def _turns(messages: Sequence[BaseMessage]) -> list[list[BaseMessage]]:
    """Part a chat before each message of the person."""
    turns: list[list[BaseMessage]] = []
    for message in messages:
        if not turns or isinstance(message, HumanMessage):
            turns.append([])
        turns[-1].append(message)
    return turns


def _noted(rules: Sequence[BaseMessage]) -> list[BaseMessage]:
    if not rules:
        return [SystemMessage(_NOTE)]
    content = rules[0].content
    noted = (
        f"{content.rstrip()}\n\n{_NOTE}"
        if isinstance(content, str)
        else [*content, {"type": "text", "text": _NOTE}]
    )
    return [rules[0].model_copy(update={"content": noted}), *rules[1:]]
