"""Cuts what a reasoning model thinks out of what it says.

Servers should return thoughts in a field of their own. Many leave them in the text, in tags
(`<think>`, `[THINK]` …) or in the channels of OpenAI's harmony format, or add blocks of content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage

from .json_values import is_object

_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "seed:think")
_OPENING = (
    *(f"<{name}>" for name in _NAMES),
    *("[think]", "◁think▷", "<|begin_of_thought|>"),
)
_CLOSING = (
    *(f"</{name}>" for name in _NAMES),
    *("[/think]", "◁/think▷", "<|end_of_thought|>"),
)
"""In lower case; models write them in any."""
_CHANNEL, _MESSAGE, _FINAL = "<|channel|>", "<|message|>", "final"
_ENDS = ("<|end|>", "<|return|>", "<|call|>", "<|start|>")
# What is left of the channels where a server drops the special tokens.
_BARE_ANALYSIS, _BARE_FINAL = "analysis", "assistantfinal"
_MARKS = (*_OPENING, *_CLOSING, _CHANNEL, "<|start|>")
_LONGEST_MARK = max(map(len, _MARKS))
# Fixed words only, so that a scan takes linear time.
_TAG = re.compile("|".join(map(re.escape, (*_OPENING, *_CLOSING))), re.IGNORECASE)
_END = re.compile("|".join(map(re.escape, _ENDS)))
_FIRST = re.compile(r"[<\[◁]")
_BLANKS = " \t"

_THOUGHT_BLOCKS = frozenset(
    {"reasoning", "reasoning_content", "thinking", "redacted_thinking", "thought"}
)
_THOUGHT_FIELDS = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "thinking", "thoughts"}
)


def without_thoughts(text: str) -> str:
    """Return a model's text without its thoughts, in linear time.

    A thought that is not closed runs to the end. A closing tag without an opening one ends a
    thought that began with the text, since some chat templates open the tag in the prompt. A tag
    within a line, as in "the <think> tag", is text unless it opens a thought that is closed.

    Returns:
        The same text if it holds no thought; empty if it holds nothing else.
    """
    if _CHANNEL in text:
        return _final_channel(text)
    if text.startswith(_BARE_ANALYSIS):
        _, final, said = text.rpartition(_BARE_FINAL)
        if final or text[len(_BARE_ANALYSIS) :][:1].isupper():
            return said if final else ""
    return _without_tags(text)


def safe_length(text: str, *, begins: bool) -> int:
    """Return how much of an answer's beginning can be shown before the rest is known.

    All before the first mark of a thought, or before what may become one.

    Args:
        text: The answer so far, or what of it is not shown yet.
        begins: Whether the answer begins with it.
    """
    if begins and (text.startswith(_BARE_ANALYSIS) or _BARE_ANALYSIS.startswith(text)):
        return 0
    for found in _FIRST.finditer(text):
        ahead = text[found.start() : found.start() + _LONGEST_MARK].lower()
        if any(ahead.startswith(mark) or mark.startswith(ahead) for mark in _MARKS):
            return found.start()
    return len(text)


def without_thoughts_in(message: AIMessage) -> AIMessage:
    """Return a message without thoughts in its text, its blocks, or its provider's own fields.

    A message that calls tools keeps its blocks: some providers refuse the tools' answers unless
    they see those blocks again.
    """
    written = str(message.text)
    said = without_thoughts(written)
    if said != written:
        said = said.strip()
    content: Any = message.content
    if isinstance(content, str):
        content = said
    else:
        calls = bool(message.tool_calls)
        content = [block for block in content if calls or not _is_thought(block)]
        if said != written:
            content = _with_text(content, said)
    fields = {
        name: value
        for name, value in message.additional_kwargs.items()
        if name not in _THOUGHT_FIELDS
    }
    return message.model_copy(update={"content": content, "additional_kwargs": fields})


def _is_thought(block: Any) -> bool:
    return is_object(block) and block.get("type") in _THOUGHT_BLOCKS


def _with_text(blocks: Sequence[Any], text: str) -> list[Any]:
    rest = [block for block in blocks if is_object(block) and block.get("type") != "text"]
    return [*rest, {"type": "text", "text": text}] if text else rest


def _final_channel(text: str) -> str:
    said: list[str] = []
    for part in text.split(_CHANNEL)[1:]:
        header, mark, body = part.partition(_MESSAGE)
        name = header.strip()
        if name.startswith(_FINAL):
            body = body if mark else name.removeprefix(_FINAL)
            end = _END.search(body)
            said.append(body[: end.start()] if end else body)
    return "".join(said)


def _without_tags(text: str) -> str:
    said: list[str] = []
    start = 0
    opened: int | None = None
    sure = False
    for tag in _TAG.finditer(text):
        if tag[0].lower() in _OPENING:
            begins = _begins_line(text, tag.start(), start)
            if opened is None or (begins and not sure):
                opened, sure = tag.start(), begins
        elif opened is not None:
            said.append(text[start:opened])
            start, opened = tag.end(), None
        elif not _amid_words(text, tag):
            said.clear()
            start = tag.end()
    ends = opened if opened is not None and sure else len(text)
    return "".join([*said, text[start:ends]])


def _begins_line(text: str, at: int, start: int) -> bool:
    while at > start and text[at - 1] in _BLANKS:
        at -= 1
    return at == start or text[at - 1] == "\n"


def _amid_words(text: str, tag: re.Match[str]) -> bool:
    at = tag.end()
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    follows = at < len(text) and text[at] not in "\n{[<"
    return follows and at > tag.end() and text[tag.start() - 1 : tag.start()] in {" ", "\t"}
