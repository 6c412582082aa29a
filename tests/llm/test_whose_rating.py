"""A rating that the prompt holds, or that an excuse mentions, is not the one that is asked for."""

# ruff: noqa: RUF005  # long lists in few lines

from __future__ import annotations

import json

import pytest
from re2llm.llm.rating_answers import read_rating
from re2llm.records import RatingScale

SCALE = RatingScale(1, 5)


def rating(text: str, scale: RatingScale = SCALE) -> float | None:
    return read_rating(text, scale).rating


SOURCES = ["Item", "User", "IMDb", "Critics'", "**Audience**", "Metacritic", "Public", "Viewer"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "form", ["{} rating: 4.2", "{} rating: 5", "The {} rating is 4", "{} score: 4"]
)
def test_ratings_of_others_are_no_prediction(source: str, form: str) -> None:
    said = form.format(source)
    assert rating(said) is None
    assert rating(f"It is a thriller.\n{said}\n") is None
    assert rating(f"{said}\nPredicted rating: 3") == 3
    assert rating(f"{said}, so my rating: 2") == 2


@pytest.mark.parametrize(
    "text",
    ["Predicted user rating: 4", "Expected item rating: 4", "Final user rating: 4"]
    + ["The user's rating: 4", "Rating for this item: 4", "User: likes it. Rating: 4"],
)
def test_a_prediction_may_name_its_subject(text: str) -> None:
    assert rating(text) == 4


@pytest.mark.parametrize(
    "text",
    ["Sorry, but as an AI I have no rating. The prompt mentions rating: 3."]
    + ["As an AI model, I cannot give a rating of 4.", "I'm unable to provide a rating: 3"]
    + ["I'm sorry, I can't predict this. A score: 5 would be a guess.", "I won't rate this 4."]
    + ["Es tut mir leid, ich kann keine Bewertung abgeben. Die Note: 3 steht oben."]
    + ["Lo siento, no puedo dar una nota: 3", "Sorry, as an AI I give no 4"],
)
def test_what_an_excuse_mentions_is_no_rating(text: str) -> None:
    assert rating(text) is None


@pytest.mark.parametrize(
    "text",
    ["Sorry for the delay.\nRating: 4", "I cannot explain it, sorry.\n\n**Final rating:** 4"]
    + ["4. Sorry, I can't say more.", "I'm sorry, it is hard to tell.\nPredicted rating: 4/5"],
)
def test_an_apology_leaves_a_rating_alone(text: str) -> None:
    assert rating(text) == 4


@pytest.mark.parametrize("name", ["final", "predicted", "expected", "estimated"])
def test_a_prediction_has_several_names(name: str) -> None:
    for what in ("rating", "score"):
        assert rating(f"They like it.\n<{name}_{what}>3</{name}_{what}>") == 3
        assert rating(f"<{name.title()} {what}>3.5</{name.title()} {what}>") == 3.5
    assert rating(json.dumps({f"{name}_rating": 3.5})) == 3.5
    assert rating(json.dumps({"reason": "Good.", f"{name}Rating": "4"})) == 4


@pytest.mark.parametrize("form", ["<rate>{}</rate>", "Rating: {}", "{}", '{{"rating": "{}"}}'])
def test_the_zero_before_a_point_may_be_missing(form: str) -> None:
    halves = RatingScale(0.5, 5)
    assert rating(form.format(".5"), halves) == 0.5
    assert rating(form.format("..5"), halves) is None
    assert rating(form.format("-.5"), halves) is None
    assert rating(form.format("3.5"), halves) == 3.5
