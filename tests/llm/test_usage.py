"""What an answer has cost, whatever its server calls it and wherever it counts it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from re2llm.llm.usage import Usage, read_usage


def usage_of(raw: dict[str, Any], text: str = "An answer.") -> Usage | None:
    """Read a raw count as LangChain's package passes it on."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}
    choice["message"]["content"] = text  # type: ignore[index]
    body = {"id": "1", "model": "m", "created": 1, "choices": [choice], "usage": raw}
    model = ChatOpenAI(model="m", api_key="none")  # type: ignore[arg-type]
    result = model._create_chat_result(body)
    message = result.generations[0].message
    message.response_metadata = result.llm_output or {}
    return read_usage(message)


def counts(read: Any, written: Any, **others: Any) -> dict[str, Any]:
    return {"prompt_tokens": read, "completion_tokens": written, **others}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (counts(40, 9, total_tokens=49), Usage(40, 9)),
        (
            counts(
                900, 50, total_tokens=1_150, completion_tokens_details={"reasoning_tokens": 200}
            ),
            Usage(900, 250),
        ),
        (counts(30, 0, total_tokens=100), Usage(30, 70)),
        (counts(40, 9, completion_tokens_details={"reasoning_tokens": 5}), Usage(40, 9)),
        ({"input_tokens": 12, "output_tokens": 3}, Usage(12, 3)),
        ({"input_tokens": 12, "output_tokens": 3, "total_tokens": 20}, Usage(12, 8)),
        (counts(0, 0, input_tokens=12, output_tokens=3), Usage(12, 3)),
    ],
)
def test_tokens_are_counted_under_any_name(raw: dict[str, Any], expected: Usage) -> None:
    assert usage_of(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        counts(None, None, total_tokens=None),
        counts(0, 0, total_tokens=0),
        counts(0, 5, total_tokens=5),
        {"total_tokens": 70},
        {"input_tokens": None, "output_tokens": 3},
        counts(40, 0, total_tokens=40),  # a text has tokens
        {},
    ],
)
def test_what_is_no_count_is_left_to_an_estimate(raw: dict[str, Any]) -> None:
    assert usage_of(raw) is None


def test_an_empty_answer_has_no_tokens() -> None:
    assert usage_of(counts(40, 0, total_tokens=40), text="") == Usage(40, 0)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (counts(30, 5, prompt_tokens_details={"cached_tokens": 900}), Usage(30, 5, 30)),
        (
            counts(30, 5, total_tokens=935, prompt_tokens_details={"cached_tokens": 900}),
            Usage(930, 5, 900),
        ),
        (counts(30, 5, total_tokens=55, cached_tokens=20), Usage(50, 5, 20)),
        (counts(30, 5, total_tokens=35, cached_tokens=20), Usage(30, 5, 20)),
        (counts(30, 5, cache_read_input_tokens=700), Usage(730, 5, 700)),
        (counts(30, 5, prompt_cache_hit_tokens=20), Usage(30, 5, 20)),
        (counts(30, 5, prompt_cache_hit_tokens=700), Usage(30, 5, 30)),
    ],
)
def test_cached_tokens_are_a_part_of_the_prompt(raw: dict[str, Any], expected: Usage) -> None:
    assert usage_of(raw) == expected


def test_counts_stay_within_bounds() -> None:
    huge = counts(10**12, 10**12, total_tokens=10**13, cached_tokens=10**12)
    found = usage_of(huge)
    assert found is not None
    assert max(found.tokens_in, found.tokens_out, found.tokens_cached) <= 10**9


def test_a_message_without_counts_has_none() -> None:
    assert read_usage(AIMessage("x")) is None
