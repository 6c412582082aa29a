"""Reads the tool calls that a model writes into its text, where its server has no parser for them.

Each family of models has a dialect: JSON between tags (Qwen, Hermes, Mistral, Llama), a name before
its arguments (Kimi, DeepSeek, gpt-oss), tags for each argument (GLM, MiniMax, Qwen's coders), or a
call as in Python (Gemma, Llama 4). All of them name the tool before, or within, its arguments.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from ..text.call_marks import BARE, CALL, LOOSE
from ..text.json_values import is_list, is_object, plain_name
from ..text.tolerant_json import decode_tolerantly

Call = tuple[str, dict[str, Any]]
"""A tool's name, and the arguments."""
_BEFORE = ("", "functions.", "default_api.", "function")
"""What models write before a tool's name; the last is what DeepSeek's tokens leave."""
_LONGEST = 20_000
"""Characters of a text that may be calls."""
_MOST_STARTS = 3
_MOST = 50
"""Values that are decoded."""
_NAMES = ("name", "tool_name", "tool", "function", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "params")
_ARGUMENT = re.compile(
    r"<(?:\uff5c\w{1,9}\uff5c)?(?:parameter|param|arg)(?:=|\s{1,3}name=)[\"']?([\w-]{1,60})[\"']?[^<>\n]{0,60}>"
    r"|<arg_key>\s{0,3}([\w-]{1,60})\s{0,3}</arg_key>\s{0,3}<arg_value>"
)
_ARGUMENT_END = re.compile(r"</(?:\uff5c\w{1,9}\uff5c)?(?:parameter|param|arg|arg_value)>")
_PREFIX = f"(?:{'|'.join(map(re.escape, _BEFORE[1:]))})?"
_BETWEEN = r"[\s:(]{0,9}(?:```\w{0,10}\s{0,9})?"
"""What may stand between a name without a mark and its arguments."""
_NAME_TAG = re.compile(r"<(?:tool_|function_)?name>")
_GAP = re.compile(r"(?:[\s,;)]|```\w{0,10}){0,20}")
_ESCAPED_QUOTE = re.compile(r"<escape>|<\|\"\|>")
"""Gemma's quotation marks."""


def tool_named(name: str, tools: Collection[str]) -> str:
    """Return the tool that a name stands for, such as `functions.find_titles:0`; else the name."""
    if name in tools:
        return name
    plain = {plain_name(tool): tool for tool in tools}
    parts = (name, *re.split(r"\W+|__", name)[::-1])
    return next((plain[one] for one in map(plain_name, parts) if one in plain), name)


def may_be_calls(text: str, tools: Collection[str]) -> bool:
    """Return whether a text without a mark may become a call: it begins with JSON or a tool's name.

    Args:
        text: How an answer begins.
        tools: Names of the tools that the model has.
    """
    begins = text.lstrip()
    if begins[:1] in {"[", "{", "`"} or not begins:
        return bool(tools)
    ahead = [f"{before}{tool}" for tool in tools for before in _BEFORE]
    return any(begins.startswith(one) or one.startswith(begins) for one in ahead)


def split_calls(text: str, tools: Collection[str]) -> tuple[str, list[Call]]:
    """Return a text's words, and the tool calls after them.

    What begins with a mark of a call, but cannot be read as one, is neither, unless it stands
    within a line, or its mark may be a word of the answer.

    Args:
        text: A text without thoughts.
        tools: Names of the tools that the model has. Without any, all of it is said.
    """
    if not tools:
        return text, []
    marked = CALL.search(text)
    until = marked.start() if marked else len(text)
    for loose in islice(LOOSE.finditer(text, 0, until), _MOST_STARTS):
        if calls := [*_calls_from(text[loose.end() :], tools, known=False)]:
            return text[: loose.start()].rstrip(" \t\n`"), calls
    if marked:
        said = text[: marked.start()]
        calls = [*_calls_in(text[marked.start() :], tools)]
        begins_line = not said.strip() or said.rstrip(" \t`").endswith("\n")
        return (said.rstrip(" \t\n`"), calls) if calls or begins_line else (text, [])
    starts = [0] if may_be_calls(text, tools) else []
    found = [one.start() for one in BARE.finditer(text)]
    starts += found[:_MOST_STARTS] + found[_MOST_STARTS:][-_MOST_STARTS:]
    for start in starts:
        if calls := [*_calls_from(text[start:], tools)]:
            return text[:start].rstrip(), calls
    return text, []


def _calls_from(text: str, tools: Collection[str], *, known: bool = True) -> Iterator[Call]:
    """Yield the calls at the beginning of a text without a mark, up to the first other word.

    Names of tools are words: one counts only if its arguments follow directly.

    Args:
        known: Whether only tools that there are count.
    """
    text = _ESCAPED_QUOTE.sub('"', text[:_LONGEST])
    if python := _python_calls(text, tools, at_once=True):
        yield from python
        return
    named = re.compile(rf"{_PREFIX}({_any(tools)})(?::\d{{1,3}})?{_BETWEEN}(?=[{{<])")
    at = 0
    for _ in range(_MOST):
        at = _begin(text, at)
        if name := named.match(text, at):
            at = name.end()
        if (name and _ARGUMENT.match(text, at)) or _NAME_TAG.match(text, at):
            yield from _calls_in(text[at if name is None else name.start() :], tools)
            return
        if text[at : at + 1] not in {"[", "{"}:
            return
        value, at = _decoded(text, at)
        calls = [*_named_calls(value, tools, known=known)]
        if not calls and name and is_object(value):
            calls = [(name[1], value)]
        if not calls:
            return
        yield from calls


def _calls_in(text: str, tools: Collection[str]) -> Iterator[Call]:
    """Yield the calls of a text that is nothing but calls and their marks."""
    text = _ESCAPED_QUOTE.sub('"', text[:_LONGEST])
    if python := _python_calls(text, tools):
        yield from python
        return
    steps = re.compile(
        rf"(?:\b|_|function){_any(tools)}(?![A-Za-z0-9_])|[\[{{]|{_ARGUMENT.pattern}"
    )
    name, arguments = "", dict[str, Any]()
    at = 0
    for _ in range(_MOST):
        if (found := steps.search(text, at)) is None:
            break
        at = found.end()
        if found[0] in {"[", "{"}:
            value, at = _decoded(text, found.start())
            held = [*_named_calls(value, tools, known=False)]
            yield from held or ([(name, value)] if name and is_object(value) else ())
        elif key := found[1] or found[2]:
            end = _ARGUMENT_END.search(text, at)
            arguments[key] = _value(text[at : end.start() if end else len(text)])
            at = end.end() if end else len(text)
        else:
            if name and arguments:
                yield name, arguments
            name, arguments = tool_named(found[0].removeprefix("function"), tools), {}
    if name and arguments:
        yield name, arguments


def _any(tools: Collection[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, sorted(tools, key=len, reverse=True)))})"


def _decoded(text: str, start: int) -> tuple[Any, int]:
    """Return a JSON value and its end; `None` and the next place for what is none."""
    try:
        return json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        pass
    try:
        found = decode_tolerantly(text, start)
    except (ValueError, RecursionError):
        return None, start + 1
    return (None, start + 1) if found.cut else (found.value, found.end)


def _named_calls(value: object, tools: Collection[str], *, known: bool) -> Iterator[Call]:
    """Yield the calls that decoded JSON names.

    Args:
        known: Whether only tools that there are count.
    """
    if is_list(value):
        for one in value:
            yield from _named_calls(one, tools, known=known)
        return
    if not is_object(value):
        return
    inner: Any = next(
        (value[key] for key in ("function", "tool_call") if is_object(value.get(key))), value
    )
    name = next((inner[key] for key in _NAMES if isinstance(inner.get(key), str)), None)
    if name is None:
        yield from _named_calls(value.get("tool_calls"), tools, known=known)
        yield from ((key, one) for key, one in value.items() if key in tools and is_object(one))
        return
    tool = tool_named(name, tools)
    given: Any = next((inner[key] for key in _ARGUMENTS if key in inner), None)
    if isinstance(given, str):
        given = _decoded(given, 0)[0] if given.lstrip().startswith("{") else None
    if is_object(given) and (tool in tools or not known):
        yield tool, given


def _value(written: str) -> Any:
    """Return an argument in tags: JSON, or else a text."""
    text = written.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    return _decoded(text, 0)[0] or text if text.startswith(("[", "{")) else text


def _python_calls(text: str, tools: Collection[str], *, at_once: bool = False) -> list[Call]:
    """Return calls such as `[find_titles(titles=["Heat"])]`.

    Args:
        at_once: Whether the text must begin with them, and no other word follow in their line.
    """
    code = re.compile(rf"[\w.(\[]{{0,60}}?{_any(tools)}\(")
    begins = code.match(text, _begin(text)) if at_once else code.search(text)
    if begins is None:
        return []
    lines = text[begins.start() :].split("\n```", maxsplit=1)[0]
    end = max(lines.rfind(")"), lines.rfind(")]") + 1) + 1
    rest = lines[end:].split("\n", maxsplit=1)[0].strip(" \t`;")
    if at_once and rest and not rest.startswith(("</", "<|")):
        return []
    try:
        found = ast.walk(ast.parse(lines[:end]))
        made = (_python_call(node, tools) for node in found if isinstance(node, ast.Call))
        return [call for call in made if call is not None]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _begin(text: str, at: int = 0) -> int:
    """Return where something begins at or after a place."""
    return found.end() if (found := _GAP.match(text, at)) else at


def _python_call(node: ast.Call, tools: Collection[str]) -> Call | None:
    name = tool_named(ast.unparse(node.func), tools)
    if name not in tools:
        return None
    given = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg}
    only = [ast.literal_eval(one) for one in node.args]
    return name, only[0] if len(only) == 1 and is_object(only[0]) else given
