"""Titles are compared by the words that they share."""

from __future__ import annotations

import pytest
from re2llm.title_words import DIGITS, series_scores, title_words, without_accents


def test_short_words_and_punctuation_do_not_count() -> None:
    assert title_words("The Lord of the Rings: Two Towers!") == {"lord", "rings", "towers"}


def test_a_candidate_is_scored_by_the_closest_title() -> None:
    candidates = ["Toy Story 2", "Story of Alien Resurrection", "Heat"]
    assert series_scores(candidates, ["Alien", "A Story", "Toy Story"]) == [
        1.0,  # of the words in "Toy Story 2", only "story" is long enough, as in "A Story"
        pytest.approx(1 / 3),
        0.0,
    ]


def test_nothing_is_shared_with_an_empty_history() -> None:
    assert series_scores(["Alien"], []) == [0.0]


def test_roman_and_spelt_numerals_are_digits() -> None:
    assert (DIGITS["iv"], DIGITS["thirteen"], DIGITS["xx"]) == ("4", "13", "20")


def test_accents_fall_away() -> None:
    assert without_accents("Amélie, Ōkami, ﬁn") == "Amelie, Okami, fin"
