"""Cuts what a reasoning model thinks out of what it says.

Servers should return thoughts in a field of their own. Many leave them in the text, in tags
(`<think>`, `[THINK]`, `<|START_THINKING|>` …), in blocks of Markdown or HTML, or in the channels of
OpenAI's harmony format, or add blocks of content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage

from .json_values import is_list, is_object, is_one_of
from .thought_marks import (
    ADDRESSED,
    ANSWER,
    ANSWER_LINE,
    ANSWER_TURN,
    AUTHOR,
    BARE_ANALYSIS,
    BARE_FINAL,
    BLOCKS,
    CHANNEL,
    CLOSED,
    COMMENTARY,
    END,
    FINAL,
    HEADING,
    MESSAGE,
    NEXT_TURN,
    OPENING,
    PROCESS,
    RESPONSE,
    TAG,
    TURN,
)

_BLANKS = " \t"
_JSON = re.compile(r"(?<![^\n])[ \t]{0,20}(?:```\w{0,10}[ \t]{0,9}\n\s{0,20})?[\[{]|(?<=[.:!?] )\{")
"""Where JSON may begin outside a sentence."""
_ALONE = re.compile(r"[ \t]{0,20}(?:\n\s{0,20}```|```)?[ \t]{0,20}(?:\n|\Z)")
_MOST_FAILURES = 50
_SAID = frozenset({"", "<|end|>", "<|return|>"})
"""What may follow the last words in a channel; a call ends in another mark."""
THOUGHT_BLOCKS = frozenset(
    {"reasoning", "reasoning_content", "thinking", "redacted_thinking", "thought"}
)
"""Types of blocks of content that hold thoughts."""
REASONING = "reasoning_content"
"""The field in which servers send thoughts and LangChain's packages keep them."""
_MOST_KEPT = 20_000
"""Characters of the thoughts before a call that stay in a thread."""
_THOUGHT_FIELDS = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "thinking", "thoughts"}
)


def without_thoughts(text: str) -> str:
    """Return a model's text without its thoughts, in linear time.

    A thought that is not closed runs to the end, or to a line "[Answer]". A closing tag without an
    opening one ends a thought that began with the text, since some chat templates open the tag in
    the prompt. A tag within a line, as in "the <think> tag", is text unless it opens a thought that
    is closed. Tags around the whole answer are taken off, too. If nothing is left, JSON that ends
    the text, in no closed thought, is the answer: its model forgot a mark.

    Returns:
        The same text if it holds no thought; empty if it holds nothing else.
    """
    if CHANNEL in text:
        return _final_channel(text)
    if process := PROCESS.match(text):
        response = RESPONSE.search(text, process.end())
        if response:
            return text[response.end() :]
        *_, (start, _) = [(len(text), 0), *_json_in(text[process.end() :], process.end())]
        return text[start:]
    turn = ANSWER_TURN.search(text)
    if turn and not NEXT_TURN.search(text, 0, turn.start()):
        return text[turn.end() :]
    said = _unwrapped(_without_tags(_without_blocks(_without_analysis(text))))
    return said if said.strip() else _last_json(text) or said


def said_from(text: str) -> int:
    """Return where in a text begins what `without_thoughts` leaves of it; its end if nothing is."""
    said = without_thoughts(text)
    if not said:
        return len(text)
    closed = CLOSED.search(text)
    for end in (closed.start() if closed else len(text), len(text)):
        start = text.rfind(said, 0, end)
        if start >= 0:
            return start
    # In several pieces: the first is at the beginning, or after a thought.
    ends = [0, *(tag.end() for tag in TAG.finditer(text) if not OPENING.fullmatch(tag[0]))]
    first = said.lstrip()[:1]
    return next((at for at in ends if text[at : at + 20].lstrip()[:1] == first), 0)


def without_thoughts_in(message: AIMessage) -> AIMessage:
    """Return a message without thoughts in its text, its blocks, or its provider's own fields.

    A message that calls tools keeps its blocks and its thoughts in a field: some providers refuse
    the tools' answers unless they see those again.
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
            content = with_text(content, said)
    given = message.additional_kwargs
    fields = {name: value for name, value in given.items() if name not in _THOUGHT_FIELDS}
    if message.tool_calls and isinstance(kept := given.get(REASONING), str):
        fields[REASONING] = kept[-_MOST_KEPT:]
    return message.model_copy(update={"content": content, "additional_kwargs": fields})


def _is_thought(block: Any) -> bool:
    return is_object(block) and is_one_of(block.get("type"), THOUGHT_BLOCKS)


def with_text(blocks: Sequence[Any], text: str) -> list[Any]:
    """Return a message's blocks of content with this as their only text, at the end."""
    rest = [block for block in blocks if is_object(block) and block.get("type") != "text"]
    return [*rest, {"type": "text", "text": text}] if text else rest


def _final_channel(text: str) -> str:
    """Return what the final channel says; without one, what is said where calls of tools are."""
    said: list[str] = []
    parts = text.split(CHANNEL)
    for part in parts[1:]:
        header, mark, body = part.partition(MESSAGE)
        name = header.strip()
        if name.startswith(FINAL):
            body = body if mark else name.removeprefix(FINAL)
            end = END.search(body)
            said.append(body[: end.start()] if end else body)
    return "".join(said) if said else _said_beside(parts)


def _said_beside(parts: Sequence[str]) -> str:
    """Return what the last channel says if it is the one of calls, and the text holds no call.

    Before another channel it is a remark, and from another author what a tool returned. JSON there
    is meant for a tool, though its server may have dropped for which.

    Args:
        parts: A text between the marks of channels.
    """
    authors = {part.rpartition(TURN)[2].strip() for part in parts[1:-1]}
    authors.add(parts[0].strip().removeprefix(TURN) or AUTHOR)
    header, _, body = parts[-1].partition(MESSAGE)
    if authors != {AUTHOR} or header.strip() != COMMENTARY or body.lstrip()[:1] == "{":
        return ""
    end = END.search(body)
    said, after = (body[: end.start()], body[end.start() :]) if end else (body, "")
    called = any(ADDRESSED in part.partition(MESSAGE)[0] for part in parts[1:])
    return said if after.strip() in _SAID and not called else ""


def _without_analysis(text: str) -> str:
    """Return the final answer of channels whose special tokens the server dropped."""
    if not text.startswith(BARE_ANALYSIS):
        return text
    _, final, said = text.rpartition(BARE_FINAL)
    begins = text[len(BARE_ANALYSIS) :][:1].isupper()
    return said if final else "" if begins else text


def _without_blocks(text: str, *, closed: bool = False) -> str:
    """Cut blocks of thoughts.

    Args:
        closed: Whether to keep those that have no end.
    """
    for opening, ending in BLOCKS:
        said: list[str] = []
        start = 0
        while opened := opening.search(text, start):
            end = ending.search(text, opened.end())
            if end is None and closed:
                break
            said.append(text[start : opened.start()])
            start = end.end() if end else len(text)
        text = "".join([*said, text[start:]])
    return text


def _last_json(text: str) -> str:
    """Return the JSON with which a text ends after its last mark, or before a last stray one."""
    start, end = 0, len(text)
    opened = False
    for tag in TAG.finditer(text):
        opens = OPENING.fullmatch(tag[0]) is not None
        if opens or opened or text[tag.end() :].strip():
            start = tag.end()
        else:
            end = tag.start()
            break
        opened = opens
    left = _without_blocks(text[start:end], closed=True)
    *_, (start, end) = [(0, 0), *_json_in(left)]
    return left[start:end] if not left[end:].strip("` \t\n") else ""


def _json_in(text: str, after: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where JSON objects and lists on lines of their own begin and end.

    Args:
        after: What to add to the places.
    """
    position = failed = 0
    for found in _JSON.finditer(text):
        if found.start() < position:
            continue
        try:
            value, position = json.JSONDecoder().raw_decode(text, found.end() - 1)
        except (ValueError, RecursionError):
            failed += 1
            if failed == _MOST_FAILURES:
                return
            continue
        if value and (is_object(value) or is_list(value)) and _ALONE.match(text, position):
            yield found.end() - 1 + after, position + after


def _unwrapped(text: str) -> str:
    """Take off the tags of an answer, where they surround all of it."""
    opened = ANSWER.match(text)
    if opened is None:
        return text
    closing = f"</{opened[1]}>" if opened[1] else f"<|END_{opened[2]}|>"
    said, _, rest = text[opened.end() :].partition(closing)
    return text if rest.strip() else said


def _without_tags(text: str) -> str:
    said: list[str] = []
    start = 0
    opened: int | None = None
    sure = False
    for tag in TAG.finditer(text):
        heading = HEADING.match(tag[0]) is not None
        if OPENING.fullmatch(tag[0]):
            begins = not heading and _begins_line(text, tag.start(), start)
            if opened is None or (begins and not sure):
                opened, sure = tag.start(), begins
        elif opened is not None:
            said.append(text[start:opened])
            start, opened = tag.end(), None
        elif not heading and not _amid_words(text, tag):
            said.clear()
            start = tag.end()
    if opened is None or not sure:
        return "".join([*said, text[start:]])
    *_, answered = [len(text), *(line.end() for line in ANSWER_LINE.finditer(text, opened))]
    return "".join([*said, text[start:opened], text[answered:]])


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
