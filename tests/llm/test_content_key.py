"""What a prompt is built from tells prompts apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from re2llm.llm.ranking_prompts import ranking_prompt
from re2llm.llm.ranking_prompts.content_key import ContentKey
from re2llm.llm.ranking_prompts.ranking_prompt import (
    RankingTask,
    letters_messages,
    ranking_messages,
)
from re2llm.records import Item

ITEMS = [
    Item(str(i), f"Film {i}", {"year": 1990 + i, "genres": ["war", f"g{i}"]}) for i in range(6)
]
TASK = RankingTask(
    history=ITEMS[:2],
    candidates=ITEMS[2:],
    evidence=[{"chosen_by": float(i)} for i in range(4)],
    evidence_meaning={"chosen_by": "how many chose it"},
    wanted=3,
)
CHANGES: dict[str, dict[str, Any]] = {
    "history": {"history": ITEMS[1:2]},
    "title": {"candidates": [replace(ITEMS[2], title="Another"), *ITEMS[3:]]},
    "attribute": {"candidates": [replace(ITEMS[2], attributes={"year": 1950}), *ITEMS[3:]]},
    "order": {"candidates": [*ITEMS[3:], ITEMS[2]]},
    "evidence": {"evidence": [{"chosen_by": float(9 - i)} for i in range(4)]},
    "meaning": {"evidence_meaning": {"chosen_by": "how often it was chosen"}},
    "wanted": {"wanted": 4},
    "hint": {"hint": "Prefer war films."},
}


def texts(task: RankingTask, write: Any = ranking_messages) -> list[str]:
    return [message.text for message in write(task)]


@pytest.mark.parametrize("changed", CHANGES)
def test_no_prompt_is_taken_for_another(changed: str) -> None:
    other = replace(TASK, **CHANGES[changed])
    before = texts(TASK)  # keeps it
    after = texts(other)
    ranking_prompt._unhinted.cache_clear()
    assert after == texts(other)
    assert after != before


def test_numbers_are_not_taken_for_letters() -> None:
    assert texts(TASK) != texts(TASK, letters_messages)


def test_equal_contents_are_one_key() -> None:
    first, second = (ContentKey(number, [{"a": [1.5, "x"]}, None]) for number in (1, 2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != ContentKey(1, [{"a": [1.5, "y"]}, None])
