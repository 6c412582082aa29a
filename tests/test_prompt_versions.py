"""A prompt's version is stored as text, and read again as what it was."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from re2llm.llm.ranking_prompts.recipes import RECIPES
from re2llm.prompt_versions import FIRST_STAGE_MARKS, PromptVersion

RECIPE_VERSIONS = sorted({recipe.version for recipe in RECIPES.values()})
STORED = {
    "rank-4": PromptVersion("rank-4"),
    "rank-4+expected": PromptVersion("rank-4", expected=True),
    "rank-4+expectedx3": PromptVersion("rank-4", expected=True, orders=3),
    "titles-2x2": PromptVersion("titles-2", orders=2),
    "letters-2/best-20": PromptVersion("letters-2", reranked=20),
    "rank-4/best-20-shuffledx3": PromptVersion("rank-4", reranked=20, shuffled=True, orders=3),
}
_AWKWARD = st.sampled_from(
    [*FIRST_STAGE_MARKS, "-shuffled", "x", "x3", "x03", "x٣", "20", "0", "rank-4", "\n", " "]
)


@st.composite
def versions(draw: st.DrawFn) -> PromptVersion:
    alone = draw(st.booleans())
    return PromptVersion(
        draw(st.sampled_from(RECIPE_VERSIONS)),
        reranked=None if alone else draw(st.integers(0, 10**6)),
        shuffled=not alone and draw(st.booleans()),
        orders=draw(st.integers(1, 10**6)),
        expected=alone and draw(st.booleans()),
    )


@given(versions())
def test_a_version_is_read_as_what_was_written(version: PromptVersion) -> None:
    assert PromptVersion.parse(str(version)) == version
    has_part = version.reranked is not None or version.expected
    assert any(mark in str(version) for mark in FIRST_STAGE_MARKS) == has_part


@given(st.lists(_AWKWARD | st.text(max_size=5), max_size=8).map("".join))
@example("rank-4/best-20x1")
@example("rank-4/best-" + "9" * 5000)
def test_any_text_is_written_again_as_it_is(text: str) -> None:
    assert str(PromptVersion.parse(text)) == text


@pytest.mark.parametrize("text", STORED)
def test_stored_versions_keep_their_form(text: str) -> None:
    assert PromptVersion.parse(text) == STORED[text]
    assert str(STORED[text]) == text


@pytest.mark.parametrize(
    ("text", "words", "fuse"),
    [
        ("rank-4+expectedx3", "the model alone orders all candidates", "llm"),
        ("rank-4/best-7-shuffled", "the model re-orders the first stage's best 7", "learned"),
    ],
)
def test_it_says_what_the_model_orders(text: str, words: str, fuse: str) -> None:
    assert PromptVersion.parse(text).order_in_words() == (words, fuse)
