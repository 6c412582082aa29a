"""Finds the task in the messages: a table, a JSON document, or plain text with a list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

from langchain_core.messages import BaseMessage

from ..text.json_values import is_list, is_object
from .document import Entry, RankingDocument, one_advice
from .table import read_table

_LISTED = re.compile(r"\A(?:(\d{1,5})\s{0,9}[.):\-]|[-*•])\s{1,9}(\S.*)")
_HINT = re.compile(r"^\s*(?:hint|advice|tip)\s*:\s*(.+)$", re.IGNORECASE)
_MOST_TRIES = 100
_CANDIDATE_KEYS = ("candidates", "options", "items")
_HISTORY_KEYS = ("history", "session", "watched", "chosen", "liked")


def read_ranking_task(messages: Sequence[BaseMessage]) -> RankingDocument | None:
    """Return the last ranking task in a conversation, or `None` if there is none."""
    texts = [message.text for message in messages if message.type in {"human", "system"}]
    instructions = "\n".join(message.text for message in messages if message.type == "system")
    for text in reversed(texts):
        table = read_table(text, instructions)
        if table is not None:
            return table
        for value in json_objects(text):
            task = _from_json(value)
            if task is not None:
                return task
    return _from_lines("\n".join(texts).splitlines())


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text, outermost only."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    for _ in range(_MOST_TRIES):
        if position < 0:
            break
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield value
        position = text.find("{", end)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a decoded JSON value is a number.

    Args:
        value: A value from `json.loads`.
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def _from_json(value: dict[str, Any]) -> RankingDocument | None:
    listed = _first_list(value, _CANDIDATE_KEYS)
    if not listed:
        return None
    meaning = value.get("evidence_meaning")
    numbers = [_number(entry, place) for place, entry in enumerate(listed, start=1)]
    return RankingDocument(
        history=[_entry(raw) for raw in _first_list(value, _HISTORY_KEYS) or []],
        candidates=[_entry(raw) for raw in listed],
        numbers=numbers,
        hint=str(value.get("hint") or ""),
        evidence_meaning={name: str(text) for name, text in meaning.items()}
        if is_object(meaning)
        else {},
        as_json=True,
    )


def _first_list(value: dict[str, Any], keys: Sequence[str]) -> list[Any] | None:
    return next((value[key] for key in keys if is_list(value.get(key))), None)


def _number(raw: Any, place: int) -> int:
    number = raw.get("number", raw.get("n")) if is_object(raw) else None
    return number if isinstance(number, int) else place


def _entry(raw: Any) -> Entry:
    if not is_object(raw):
        return Entry(str(raw))
    title = str(raw.get("title", raw.get("name", "")))
    evidence = raw.get("evidence")
    skipped = {"title", "name", "number", "n", "id", "evidence"}
    facts = {key: value for key, value in raw.items() if key not in skipped and _usable(value)}
    stats = evidence if is_object(evidence) else {}
    return Entry(title, facts, {k: float(v) for k, v in stats.items() if is_number(v)})


def _usable(value: Any) -> bool:
    return isinstance(value, str | int | float | list) and value not in ("", [])


def _from_lines(lines: Sequence[str]) -> RankingDocument | None:
    """Take the last list for the candidates, and an earlier list or sentence for the history."""
    hints: list[str] = []
    prose = ""
    blocks: list[list[tuple[str | None, str]]] = []
    previous_listed = False
    for line in lines:
        listed, advice = _LISTED.match(line.strip()), _HINT.match(line)
        if advice:
            hints.append(advice.group(1))
        elif listed:
            if not previous_listed:
                blocks.append([])
            blocks[-1].append((listed.group(1), listed.group(2)))
        elif line.strip():
            prose += " " + line.strip()
        previous_listed = bool(listed) or (previous_listed and not line.strip())
    if not blocks or len(blocks[-1]) <= 1:  # one item needs no ranking
        return None
    candidates = blocks[-1]
    history = [Entry(text) for block in blocks[:-1] for _, text in block]
    if not history and prose:
        history = [Entry(prose.strip())]
    numbers = [int(n) if n else place for place, (n, _) in enumerate(candidates, start=1)]
    entries = [Entry(text) for _, text in candidates]
    return RankingDocument(history, entries, numbers, one_advice(hints), {}, as_json=False)
