"""Cuts what a reasoning model thinks out of what it says.

Servers should return thoughts in a field of their own. Many leave them in the text, in tags
(`<think>`, `[THINK]`, `<|START_THINKING|>` …), in blocks of Markdown or HTML, or in the channels of
OpenAI's harmony format, or add blocks of content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage

from .json_values import is_object

_NAMES = (
    *("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "seed:think"),
    *("analysis", "scratchpad", "cot", "chain_of_thought", "thinking_process", "thought_process"),
    *("inner_monologue", "internal_monologue"),
)
_IN_BRACKETS = ("think", "thinking", "thought", "thoughts", "reasoning", "scratchpad")
_ANY = "|".join(sorted(_NAMES, key=len, reverse=True))
_PLAIN_OPENING = ("◁think▷", "<unused94>", "<|channel>thought", "<|inner_prefix|>")
_PLAIN_CLOSING = ("◁/think▷", "<unused95>", "<channel|>", "<|inner_suffix|>")
"""Those of Kimi, MedGemma, Gemma and Apertus."""
# Fixed words and bounded gaps only, so that a scan takes linear time.
_OPENING = re.compile(
    rf"(?:<|&lt;)(?:{_ANY})(?:\s[^<>\n]{{0,100}})?(?:>|&gt;)|\[(?:{'|'.join(_IN_BRACKETS)})\]"
    rf"|<\|(?:start_|begin_of_)?(?:{_ANY})\|>|{'|'.join(map(re.escape, _PLAIN_OPENING))}",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"(?:<|&lt;)/(?:{_ANY})\s?(?:>|&gt;)|\[/(?:{'|'.join(_IN_BRACKETS)})\]"
    rf"|<\|(?:end_of_|end_|/)(?:{_ANY})\|>|{'|'.join(map(re.escape, _PLAIN_CLOSING))}",
    re.IGNORECASE,
)
_TAG = re.compile(f"{_OPENING.pattern}|{_CLOSING.pattern}", re.IGNORECASE)
_HEADING = re.compile(r"\[/?(?!think)", re.IGNORECASE)
"""A word in brackets that may be a heading: it opens a thought only if one ends there, too."""
_BLOCKS = (
    (
        re.compile(r"^[ \t]{0,20}```(?:think|thought|reasoning)", re.IGNORECASE | re.MULTILINE),
        "\n```",
    ),
    (re.compile(r"<details\s[^<>\n]{0,40}reasoning", re.IGNORECASE), "</details>"),
)
"""What opens a thought as a block of Markdown or HTML, and what ends it."""
_ANSWER = re.compile(r"\s{0,20}(?:<(answer|response|final_answer)>|<\|START_(RESPONSE|TEXT)\|>)")
_CHANNEL, _MESSAGE, _FINAL = "<|channel|>", "<|message|>", "final"
_ENDS = ("<|end|>", "<|return|>", "<|call|>", "<|start|>")
# What is left of the channels where a server drops the special tokens.
_BARE_ANALYSIS, _BARE_FINAL = "analysis", "assistantfinal"
_PROCESS = re.compile(r"\s{0,20}Here(?: is|'s) my thought process:", re.IGNORECASE)
_RESPONSE = re.compile(r"Here(?: is|'s) my response:\s*", re.IGNORECASE)
"""How Granite writes both."""
_BEGINNINGS = (_BARE_ANALYSIS, "Here is my thought process:", "Here's my thought process:")
_MARKS = (
    *(f"{sign}{name}" for sign in ("<", "</", "&lt;", "&lt;/", "<|", "<|/") for name in _NAMES),
    *(f"[{name}]" for name in _IN_BRACKETS),
    *(f"[/{name}]" for name in _IN_BRACKETS),
    *("<|start", "<|begin_of_", "<|end_", "<|channel", "<details", "```think", "```thought"),
    *("```reasoning", "<answer>", "<response>", "<final_answer>"),
    *_PLAIN_OPENING,
    *_PLAIN_CLOSING,
)
"""How a mark may begin, in lower case; models write them in any."""
_LONGEST_MARK = max(map(len, _MARKS))
_END = re.compile("|".join(map(re.escape, _ENDS)))
_FIRST = re.compile(r"[<\[◁&`]")
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
    within a line, as in "the <think> tag", is text unless it opens a thought that is closed. Tags
    around the whole answer are taken off, too.

    Returns:
        The same text if it holds no thought; empty if it holds nothing else.
    """
    if _CHANNEL in text:
        return _final_channel(text)
    if process := _PROCESS.match(text):
        response = _RESPONSE.search(text, process.end())
        return text[response.end() :] if response else ""
    if text.startswith(_BARE_ANALYSIS):
        _, final, said = text.rpartition(_BARE_FINAL)
        if final or text[len(_BARE_ANALYSIS) :][:1].isupper():
            return said if final else ""
    return _unwrapped(_without_tags(_without_blocks(text)))


def safe_length(text: str, *, begins: bool) -> int:
    """Return how much of an answer's beginning can be shown before the rest is known.

    All before the first mark of a thought, or before what may become one.

    Args:
        text: The answer so far, or what of it is not shown yet.
        begins: Whether the answer begins with it.
    """
    if begins and any(text.startswith(one) or one.startswith(text) for one in _BEGINNINGS):
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


def _without_blocks(text: str) -> str:
    for opening, ending in _BLOCKS:
        said: list[str] = []
        start = 0
        while opened := opening.search(text, start):
            said.append(text[start : opened.start()])
            end = text.find(ending, opened.end())
            start = end + len(ending) if end >= 0 else len(text)
        text = "".join([*said, text[start:]])
    return text


def _unwrapped(text: str) -> str:
    """Take off the tags of an answer, where they stand around all of it."""
    opened = _ANSWER.match(text)
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
    for tag in _TAG.finditer(text):
        heading = _HEADING.match(tag[0]) is not None
        if _OPENING.fullmatch(tag[0]):
            begins = not heading and _begins_line(text, tag.start(), start)
            if opened is None or (begins and not sure):
                opened, sure = tag.start(), begins
        elif opened is not None:
            said.append(text[start:opened])
            start, opened = tag.end(), None
        elif not heading and not _amid_words(text, tag):
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
