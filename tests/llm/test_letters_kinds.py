"""What servers make of log-probabilities: tokens, bytes, missing values, and words before."""

from __future__ import annotations

import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from re2llm.llm.ranking_answers.answers import RankingAnswer
from re2llm.llm.ranking_prompts.letters import letter_of, letters_answer, read_letters


def read(held: Any, candidates: int = 5) -> RankingAnswer:
    message = AIMessage("x", response_metadata={"logprobs": held})
    return read_letters(letters_answer(message), candidates)


def token(text: Any, odds: Any = None, **others: Any) -> dict[str, Any]:
    """Return a token that has the odds of its first alternative."""
    pairs = [*({text: odds} if odds is not None else {}).items(), *others.items()]
    listed = [{"token": one, "logprob": value} for one, value in pairs]
    return {"token": text, "logprob": pairs[0][1] if pairs else None, "top_logprobs": listed}


def codes(*values: int, odds: float, text: Any = None) -> dict[str, Any]:
    return {"token": text, "bytes": list(values), "logprob": odds}


def entry(chosen: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    return {**chosen, "top_logprobs": [chosen, *others]}


@pytest.mark.parametrize(
    "content",
    [
        [entry(codes(66, odds=-0.3), codes(32, 65, odds=-2.0))],
        [entry(codes(66, odds=-0.3, text="token_id:7"), codes(65, odds=-2.0, text="token_id:8"))],
        [entry(codes(66, odds=-0.3, text=r"bytes:\x42"), codes(65, odds=-2, text=r"bytes:\x41"))],
        [token(r"bytes:\x42", -0.3, **{r"bytes:\x41": -2.0})],
        [token("<0x42>", -0.3, **{"<0x41>": -2.0})],
        [token("\uff22", -0.3, Ａ=-2.0)],
        [token("\u24b7", -0.3, **{"\u24b6": -2.0})],
        [token("\u200bB", -0.3, **{"\ufeffA": -2.0})],
        [token("{B", -0.3, **{"A}": -2.0})],
        [token("B", "-0.3", A="-2.0")],
        [token(" b", -0.3, **{"a.": -2.0})],
    ],
)
def test_a_letter_is_read_however_it_is_written(content: list[Any]) -> None:
    found = read({"content": content})
    assert found.numbers == (2, 1)
    assert found.flags == []
    assert found.scores[1] - found.scores[0] == pytest.approx(1.7)


@pytest.mark.parametrize("other", ["<0x5", "bytes:B", "token_id:66", "<A>", "<0x4242>"])
def test_what_is_no_byte_is_no_letter(other: str) -> None:
    assert letter_of(other) == ""
    assert read({"content": [token(other, -0.1)]}).numbers == ()


def test_a_token_that_is_listed_twice_counts_once() -> None:
    listed = [
        {"token": one, "logprob": odds} for one, odds in [("B", -0.7), ("B", -0.7), ("A", -0.7)]
    ]
    found = read({"content": [{"token": "B", "logprob": -0.7, "top_logprobs": listed}]})
    assert found.scores[0] == found.scores[1] == pytest.approx(math.log(0.5))


@pytest.mark.parametrize(
    "content",
    [
        [token("B", -9999.0, A=-9999.0, C=-9999.0)],
        [token("B", 0.7, A=0.2, C=0.1)],  # probabilities
        [token("B", math.nan, A=-2.0)],
        [token("B", math.inf, A=-2.0)],
        [token("B", "none", A=-2.0)],
        [token("B", True, A=-2.0)],  # noqa: FBT003
        [{"token": "B", "top_logprobs": [{"token": "B"}, {"token": "A", "logprob": -2.0}]}],
        [
            {"token": "B", "top_logprobs": [{"token": "B", "logprob": None}]},
            token(".", -0.1, A=-5.0),
        ],
    ],
)
def test_without_the_odds_of_the_chosen_letter_there_is_no_answer(content: list[Any]) -> None:
    assert read({"content": content}).numbers == ()


def test_what_was_drawn_may_be_less_likely_than_all_alternatives() -> None:
    listed = token("B", -0.3, A=-2.0)["top_logprobs"]
    found = read({"content": [{"token": "E", "logprob": None, "top_logprobs": listed}]})
    assert found.numbers == (2, 1)


@pytest.mark.parametrize("empty", [None, []])
def test_an_empty_list_does_not_hide_the_older_form(empty: Any) -> None:
    older = {"tokens": ["B"], "token_logprobs": [-0.3], "top_logprobs": [{"B": -0.3, "A": -2.0}]}
    assert read({"content": empty, **older}).numbers == (2, 1)
    assert read({"content": empty}).numbers == ()


def words(*texts: str) -> list[dict[str, Any]]:
    return [token(text, -0.1, A=-7.0, I=-8.0) for text in texts]


@pytest.mark.parametrize(
    "before",
    [
        *(("A", " good", " choice", ":"), ("I", " would", " say"), ("I", "'d", " say")),
        *(("A", "lien", " is"), ("The", " answer", " is"), ("(",), ("**",), ('{"', "a", "nswer")),
    ],
)
def test_words_before_the_letter_are_none(before: tuple[str, ...]) -> None:
    content = [*words(*before), token(" B", -0.2, C=-2.0)]
    assert read({"content": content}, 10).numbers == (2, 3)


@pytest.mark.parametrize("after", [" is", ".", " because", "\n", " - "])
def test_a_letter_that_begins_a_sentence_is_one(after: str) -> None:
    content = [token("A", -0.2, C=-2.0), token(after, -0.1, B=-7.0)]
    assert read({"content": content}).numbers == (1, 3)


def test_doubts_are_flagged() -> None:
    assert read({"content": [token("S", -0.1, A=-3.0)]}).flags == ["invented"]
    assert read({"content": [token("B", 0.0, A=0.0)]}).flags == ["wrong_format"]
    assert read({"content": [token("B", 0.0)]}).flags == []
