"""Reads a ranking out of the log-probabilities of letters, whatever a server makes of them."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from fault_server import logprobs
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from re2llm.llm.offline import OfflineRanker
from re2llm.llm.ranking_prompts.letters import (
    LETTERS,
    has_letters,
    letter_of,
    letters_answer,
    read_letters,
    write_letters,
)
from re2llm.llm.ranking_prompts.ranking_prompt import RankingTask
from re2llm.llm.ranking_prompts.recipes import RECIPES
from re2llm.records import Item

ODDS = st.floats(-15.0, 0.0)
VARIANTS = ("{}", " {}", "{}.", "({})", "\n{}", "**{}", "\u0120{}", "\u2581{}")


def answer(odds: dict[str, float], *before: str) -> str:
    return letters_answer(said(logprobs(odds, *before)))


def said(held: Any) -> AIMessage:
    return AIMessage("x", response_metadata={"logprobs": held})


@pytest.mark.long
@given(st.dictionaries(st.sampled_from(LETTERS), ODDS, min_size=1), st.integers(1, 20))
def test_the_likelier_letter_ranks_higher(odds: dict[str, float], candidates: int) -> None:
    read = read_letters(answer(odds), candidates)
    seen = {LETTERS.index(letter) + 1: value for letter, value in odds.items()}
    seen = {number: round(value, 4) for number, value in seen.items() if number <= candidates}
    assert read.numbers == tuple(sorted(seen, key=lambda number: (-seen[number], number)))
    assert read.complete == bool(seen)
    if seen:
        assert len(read.scores) == candidates
        known = [read.scores[number - 1] for number in seen]
        others = [s for number, s in enumerate(read.scores, 1) if number not in seen]
        assert sum(map(math.exp, known)) == pytest.approx(1.0)
        assert all(score < min(known) for score in others)
        assert len(set(others)) <= 1
    else:
        assert (read.scores, read.flags) == ((), ["wrong_format", "missing"])


@pytest.mark.long
@given(st.data())
def test_variants_of_a_letter_add_up(data: st.DataObject) -> None:
    letters = data.draw(st.lists(st.sampled_from(LETTERS), min_size=1, max_size=6, unique=True))
    odds: dict[str, float] = {}
    expected: dict[str, float] = {}
    for letter in letters:
        forms = data.draw(st.lists(st.sampled_from(VARIANTS), min_size=1, unique=True))
        for form in forms:
            written = letter if data.draw(st.booleans()) else letter.lower()
            odds[form.format(written)] = value = data.draw(ODDS)
            expected[letter] = expected.get(letter, 0.0) + math.exp(value)
    total = sum(expected.values())
    read = read_letters(answer(odds), 20)
    for letter, probability in expected.items():
        own = min(probability, 1.0)
        sure = min(total, sum(min(p, 1.0) for p in expected.values()))
        assert read.scores[LETTERS.index(letter)] == pytest.approx(math.log(own / sure), abs=1e-3)


@given(st.permutations([(letter, -1.0) for letter in LETTERS[:6]]))
def test_equals_stand_in_the_order_of_the_prompt(pairs: list[tuple[str, float]]) -> None:
    assert read_letters(answer(dict(pairs)), 6).numbers == (1, 2, 3, 4, 5, 6)


def test_what_is_no_letter_is_left_out_and_limits_the_missing() -> None:
    text = answer(
        {"B": -1.0, "The": -0.5, "AB": -2.0, "": -2.0, "U": -0.1, "\u0410": -1, "7": -6.0}
    )
    assert json.loads(text) == {"logprobs": {"B": -1.0}, "below": -6.0}
    read = read_letters(text, 3)
    assert read.numbers == (2,)
    assert read.scores == (-6.0, 0.0, -6.0)  # a step below -6 - -1, the least that was shown


def test_letters_of_no_candidate_are_no_answer() -> None:
    read = read_letters(answer({"S": -0.1, "T": -2.0}), 5)
    assert (read.numbers, read.complete) == ((), False)


@pytest.mark.parametrize(
    "token", ["A", " A", "a", "A.", "A)", "(A)", "**A**", "\nA", "`A`", '"A"', "A|", "\u2581A"]
)
def test_a_letter_may_be_dressed(token: str) -> None:
    assert letter_of(token) == "A"


@pytest.mark.parametrize("token", ["", " ", "AB", "U", "1", "\u00c5", "\u0391", "An", "<A>", "A B"])
def test_other_tokens_are_none(token: str) -> None:
    assert not letter_of(token)


def test_thoughts_come_before_the_letter() -> None:
    thoughts = ("<think>", "A", " or", " B", "</think>", "\n\n")
    tokens = logprobs({"C": -0.1, "D": -3.0}, *thoughts)
    for token in tokens["content"][: len(thoughts)]:
        token["top_logprobs"] = [{"token": "A", "logprob": -0.1}]
    assert read_letters(letters_answer(said(tokens)), 4).numbers == (3, 4)
    unfinished = {"content": tokens["content"][:3]}
    assert json.loads(letters_answer(said(unfinished))) == {"logprobs": {}}


@pytest.mark.parametrize("letter", ["A", "D", "E", "d", "e", "n"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["<think>", "A", "</think>", "<|START_RESPONSE|>"], ["<|END_RESPONSE|>"]),
        (["<|START_THINKING|>", "E", "<|END_THINKING|>", "<response>"], ["</response>", "\n"]),
        (["<|channel|>", "final", "<|message|>"], ["<|end|>"]),
        (["<think>", "E", "</think>"], [" ", "<think>", "A", "</think>", "."]),
        ([], [" ", "<think>", "A", "</think>", "."]),
    ],
)
def test_the_marks_around_a_letter_are_none(letter, before, after) -> None:
    tokens = logprobs({letter: -0.1, "C": -3.0}, *before)
    tokens["content"] += logprobs({"A": 0.0}, *after)["content"][:-1]
    for place in (*range(len(before)), *range(len(before) + 1, len(tokens["content"]))):
        tokens["content"][place]["top_logprobs"] = [{"token": "A", "logprob": -0.1}]
    number = LETTERS.index(letter.upper()) + 1
    assert read_letters(letters_answer(said(tokens)), 20).numbers == tuple(
        dict.fromkeys([number, 3])
    )


def test_words_before_the_letter() -> None:
    tokens = logprobs({"C": -0.1}, "Answer", ":")
    for token in tokens["content"][:2]:
        token["top_logprobs"] = [{"token": "B", "logprob": -9.0}]
    assert read_letters(letters_answer(said(tokens)), 4).numbers == (3,)


def test_the_older_form_of_parallel_lists() -> None:
    held = {"tokens": [" B"], "token_logprobs": [-0.2], "top_logprobs": [{" B": -0.2, "A": -2.0}]}
    assert read_letters(letters_answer(said(held)), 3).numbers == (2, 1)


@pytest.mark.parametrize(
    "held",
    [
        None,
        {},
        [],
        "none",
        {"content": None},
        {"content": []},
        {"content": [None]},
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": []}]},
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": None}]},
        {"content": [{"token": "A", "logprob": -0.1}]},
        {"tokens": ["A"], "token_logprobs": [-0.1], "top_logprobs": None},
    ],
)
def test_no_log_probabilities_are_no_answer(held: Any) -> None:
    assert not letters_answer(said(held))
    assert not letters_answer(AIMessage("A"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.sampled_from(LETTERS),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["content", "token", "logprob", "top_logprobs", "tokens"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_nothing_that_a_server_sends_breaks_it(held: Any) -> None:
    text = letters_answer(said(held))
    read = read_letters(text, 20)
    assert has_letters(text) == bool(read.numbers)
    assert all(map(math.isfinite, read.scores))


def test_a_blank_letter_is_none() -> None:
    assert read_letters('{"logprobs": {"": -1.0}}', 3).numbers == ()


@given(st.text(max_size=40))
def test_nothing_that_is_stored_breaks_it(text: str) -> None:
    assert read_letters(text, 20).numbers == ()


def test_strange_values_are_left_out() -> None:
    held = logprobs({"A": -1.0})
    top = held["content"][0]["top_logprobs"]
    for value, letter in zip(
        [math.inf, -math.inf, math.nan, None, "x", True, -(10**400), [-0.1]],
        "BCDEFGIJ",
        strict=True,
    ):
        top.append({"token": letter, "logprob": value})
    top.append({"token": "H", "logprob": -9999.0})
    read = read_letters(letters_answer(said(held)), 9)
    assert read.numbers == (1, 8)
    assert read.scores[7] == -20.0
    assert read.scores[8] == -21.0


@given(st.lists(ODDS, min_size=1, max_size=20))
def test_what_is_written_reads_the_same(odds: list[float]) -> None:
    scores = dict(zip(LETTERS, odds, strict=False))
    read = read_letters(write_letters(scores, min(odds)), len(odds))
    expected = np.array(odds) - np.log(np.sum(np.exp(odds)))
    assert np.allclose(read.scores, expected, atol=1e-3)


def films(count: int) -> list[Item]:
    return [
        Item(
            str(n),
            f"Film {n}",
            {"year": 1950 + 7 * n % 60, "genres": ["Drama", "War", "Horror"][n % 3 :]},
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("hint", [None, "Prefer the most recent films."])
@pytest.mark.parametrize("count", [2, 20])
def test_the_offline_model_ranks_by_letters_as_it_does_in_lists(
    hint: str | None, count: int
) -> None:
    task = RankingTask(films(40)[30:33], films(count), hint=hint, wanted=count)
    model = OfflineRanker()
    letters, lists = RECIPES["letters"], RECIPES["json"]
    asked: Any = model.bind(max_tokens=1, logprobs=True, top_logprobs=20)
    one = asked.invoke(letters.messages(task))
    listed = lists.read(model.invoke(lists.messages(task)).text, task.candidates)
    read = letters.read(letters_answer(one), task.candidates)
    assert len(read.numbers) == count
    scores = [read.scores[number - 1] for number in listed.numbers]
    assert all(first >= second for first, second in itertools.pairwise(scores))
    assert letter_of(one.text) == LETTERS[read.numbers[0] - 1]
    plain = model.invoke(letters.messages(task))
    assert (plain.text, "logprobs" in plain.response_metadata) == (one.text, False)
