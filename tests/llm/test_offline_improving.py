"""The offline model makes a better hint of known ones, from the prompt alone."""

import json

import pytest
from re2llm.llm.hints.improvement_prompt import improvement_messages
from re2llm.llm.offline.model import OfflineRanker


def written(*parents: str) -> list[str]:
    answer = OfflineRanker().invoke(improvement_messages(parents, []))
    return json.loads(answer.text)["hints"]


def test_two_hints_become_one_with_the_clauses_of_both() -> None:
    assert written("Trust what usually follows next.", "Prefer recent titles.") == [
        "Trust what usually follows next; prefer recent titles.",
        "Trust what usually follows next; slightly prefer recent titles.",
    ]


@pytest.mark.parametrize(
    "second",
    [
        "Prefer a low score; prefer recent titles.",
        "Slightly prefer a high score; prefer recent titles.",
    ],
)
def test_what_one_says_already_the_other_does_not_take_back(second: str) -> None:
    first = written("Prefer a high score.", second)[0]
    assert first == "Prefer a high score; prefer recent titles."


def test_one_hint_becomes_a_gentler_one() -> None:
    assert written("Prefer recent titles; trust what usually follows next.") == [
        "Slightly prefer recent titles; lean slightly towards what usually follows next."
    ]


def test_what_cannot_be_said_better_is_not_said_again() -> None:
    assert written("Slightly prefer recent titles.") == []
    assert written("Prefer recent titles.", "Slightly prefer recent titles.") == []
