"""A rating that the prompt holds, or that an excuse mentions, is not the one that is asked for."""

# ruff: noqa: RUF005  # long lists in few lines

from __future__ import annotations

import json

import pytest
from re2llm.llm.ratings.answers import read_rating
from re2llm.records import RatingScale

SCALE = RatingScale(1, 5)


def rating(text: str, scale: RatingScale = SCALE) -> float | None:
    return read_rating(text, scale).rating


SOURCES = ["IMDb", "Critics'", "**Audience**", "Metacritic", "Public", "Viewer", "Users'", "Steam"]
SUBJECTS = [
    "Item",
    "User",
    "**User",
    "Movie",
    "Film",
    "Book",
    "Game",
    "Product",
    "The user's movie",
]
FORMS = ["{} rating: 4", "{} rating: 4/5", "{} Rating:** 4", "The {} rating is 4", "{} score: 4"]


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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_lone_rating_of_the_subject_is_the_prediction(subject: str, form: str) -> None:
    said = form.format(subject)
    assert rating(said) == 4
    assert rating(f"It is a thriller.\n{said}\n") == 4
    assert rating(f"My {said}") == rating(f"Final {said}") == 4
    assert rating(f"{said}\nPredicted rating: 3") == 3
    assert rating(f"{said}, so my rating: 2") == 2
    assert rating(f"{said}\nIMDb rating: 4.5") is None
    assert rating(f"{said}\nAverage rating: 4.5") is None
    assert rating(f"{said}\nItem score: 4.5") is None


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
    ["They do not like horror, and I can't recommend it highly. Rating: {}"]
    + ["I can't recommend this to the user. I'd say the rating is {}."]
    + ["This film is unable to offer what they like, so the expected rating is {}."]
    + ["Ich kann den Film nicht empfehlen. Meine Bewertung: {}"]
    + ["Je ne peux pas \u00eatre s\u00fbr, mais ma note : {}", "No puedo recomendarla. Mi nota: {}"]
    + [
        "\u7531\u4e8e\u65e0\u6cd5\u5f97\u77e5\u7528\u6237\u559c\u597d\uff0c\u9884\u6d4b\u8bc4\u5206\uff1a{}"
    ]
    + ["I predict the user will rate Sorry to Bother You with a score of {}.", "Sorry!\nRating: {}"]
    + ["The user can't do horror, so I predict {}", "They cannot rate it highly; my score: {}"]
    + ["I won't recommend it \u2013 rating: {}", "I would give it {} because it can't offer much."]
    + [
        "Although I can't give a certain answer, rating: {}",
        "I can't recommend it: I'd rate it {}",
    ],
)
def test_a_negative_word_is_no_excuse(text: str) -> None:
    assert rating(text.format(2)) == 2
    assert rating(text.format("4.5")) == 4.5


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


@pytest.mark.parametrize(
    "told",
    [", in line with your rating of 5 for Heat.", ", as expected from their rating of 5."]
    + [".\n\nThis is a bit below your rating of 4.5 for Heat.", ". Overall item rating: 3.2."]
    + [" (user rating of Heat: 5)", ". The user's rating of Heat was 5.", ".\nYour rating: 5"],
)
@pytest.mark.parametrize("label", ["Predicted rating", "**My rating**", "Final rating", "Rating"])
def test_ratings_from_the_history_do_not_replace_a_prediction(label: str, told: str) -> None:
    assert rating(f"{label}: 4{told}") == 4
    assert rating(f"Overall user rating: 3.2. I predict 4{told}") == 4


@pytest.mark.parametrize(
    "text",
    ["They gave the first film a user rating of 5. The new one is similar."]
    + ["Based on the user's history (Heat - User rating: 5), I believe they would love this film."]
    + ["Heat - user rating: 5\nAlien - user rating: 5\nSo they will like it."]
    + [
        "Given your rating of 5 for Heat, you will like it.",
        "Your rating of 5 for Heat says much.",
    ],
)
def test_nor_are_they_one_themselves(text: str) -> None:
    assert rating(text) is None


@pytest.mark.parametrize(
    "form",
    ["Your rating: {}", "Overall user rating: {}", "They like space. User rating: {}"]
    + ["Answer: User rating: {}", "I'd give it a user rating of {}.", "Overall rating: {}"]
    + [
        "Predicted rating: {}. The overall rating of the film: 3",
        "Plot rating: 3\nOverall rating: {}",
    ],
)
def test_a_prediction_may_be_called_so(form: str) -> None:
    assert rating(form.format(4)) == 4
    assert rating(form.format("4.5")) == 4.5


LISTS = [
    "Here is my answer:\n\n1. **Analyze user**: likes sci-fi\n2. good\n3. **Match**: fine{}",
    "Final answer:\n\n1. Analyze user: likes it\n2. Analyze item: good{}",
    "1. User: likes it\n2. Item: good{}",
    "1. The user likes it.\n2. The film is good.{}",
    "**1. User**\nLikes it\n**2. Item**\nGood{}",
    "1 - The user likes it\n2 - The film is good{}",
    "1: user\n2: item{}",
    "| 1 | Analyze user | likes it |\n| 2 | Analyze item | good |{}",
    "The rating depends on:\n1. Genre\n2. Author{}",
    "1. User:\n   1. likes it\n   2. dislikes that\n2. Item: good{}",
    "1. I cannot say much, as the user has no reviews.\n2. The item has none either.{}",
    "0. Data\n1. User{}",
]


@pytest.mark.parametrize("text", LISTS)
def test_the_number_before_an_entry_of_a_list_is_no_rating(text: str) -> None:
    assert rating(text.format("")) is None
    assert rating(text.format("\n4. They will love it.")) is None
    assert rating(text.format("\n4. **Rating**: 4.5")) == 4.5
    assert rating(text.format("\n\nRating: 4")) == 4
    assert rating(text.format("\n4. about 80 points"), RatingScale(0, 100)) is None
    assert rating(f"Rating: 3\n\n{text.format('')}") == 3


@pytest.mark.parametrize(
    "name", ["**Analyze user**: likes", "User: likes", "<analyze user>u</analyze user>"]
)
def test_nor_is_one_before_a_step_that_is_cut_off(name: str) -> None:
    assert rating(f"1. {name}") is None
    assert rating(f"My prediction:\n1. {name}") is None
    assert rating(f"1. {name}\n4. Rating: 4") == 4


@pytest.mark.parametrize(
    "form",
    ["{}. The user likes it.", "{} - a good match", "{}: likes sci-fi", "{}. Good.\n\n7. No."]
    + ["{}. Reasons:\n1. Genre\n2. Author\n3. Length", "{}. Because:\n\n1. Genre\n2. Author"]
    + ["Rating: {}. The genre fits.\n1. Genre\n2. Author", "Rating:\n{}. The genre fits."],
)
def test_a_rating_with_a_period_is_one(form: str) -> None:
    assert rating(form.format(1)) == 1
    assert rating(form.format(4)) == 4


QUOTES = [
    "The user gave Dune a rating of 5 and Emma a rating of 2.",
    "Past ratings: Dune (rating: 4).",
    "Past reviews:\n- Dune, Rating: 5\n- Emma, Rating: 5",
    'The document has {"rating": 4} for Dune.',
    "Rating: 4",
]


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize("step", ["user", "item"])
def test_what_a_step_quotes_is_no_rating(step: str, quote: str) -> None:
    quoted = f"<analyze {step}>{quote}</analyze {step}>"
    for rest in (
        "",
        "\n<analyze item>Em",
        "<match>good</match>",
        "<match>good</match><rate></rate>",
    ):
        assert rating(quoted + rest) is None
    assert rating(f"{quoted}<match>good</match><rate>3</rate>") == 3
    assert rating(f"{quoted}<match>good</match>\nRating: 3") == 3
    assert rating(f"{quoted}<match>so my rating: 3</match>") == 3
    assert rating(f"{quoted}<match>Match score: 3/5</match><rate></rate>") is None
    assert rating(f'{quoted}\n{{"rating": 3}}') == 3
    assert getattr(read_rating(quoted, SCALE), f"analyze_{step}") == quote


@pytest.mark.parametrize("quote", QUOTES[:3])
@pytest.mark.parametrize(
    "title", ["1. **Analyze user**: {}", "### Analyze user\n\n{}", "User analysis: {}"]
)
def test_nor_what_is_quoted_under_its_name(title: str, quote: str) -> None:
    quoted = title.format(quote)
    assert rating(quoted) is None
    assert rating(f"{quoted}\n\n2. **Analyze item**: Em") is None
    assert rating(f"{quoted}\n\n4. **Rating**: 3") == 3
    assert rating(f"{quoted}\nAnalyze item: good.\nMatch: fine. Rate: 3") == 3
    assert rating(f"{quoted}\nTherefore, the rating is 3.") == 3


@pytest.mark.parametrize("behind", [", overall: 3.5", " and overall: 3.5", "", "; it fits"])
def test_the_first_of_several_subjects_is_no_prediction(behind: str) -> None:
    assert rating(f"User score: 4/5, item score: 3/5{behind}") is None
    assert rating(f"Movie rating: 4, user rating: 3{behind}") is None
    assert rating(f"User score: 4/5, item score: 3/5{behind}, final rating: 3") == 3


@pytest.mark.parametrize(
    "text",
    ["Analyze user: likes it. Analyze item: good. Rating: {}", "User analysis: good; rating: {}/5."]
    + ["Analyze user: likes it. Analyze item: good. Match: fine. Rate: {}"]
    + ["Analyze user: likes it. I predict a rating of {}.", "Analyze user: x\nRating: {}\nBye."]
    + ["Analyze user:\nlikes it\n\nMy rating is {}.", "User analysis: x\n\n**Rating:** {}"],
)
def test_an_answer_with_titles_in_one_line_is_read(text: str) -> None:
    assert rating(text.format(4)) == 4


TITLED = [
    "User analysis: Likes 4 films.\nItem analysis: An action film of 1999.\n",
    "### Step 1: Analyze User\nLikes action.\n\n### Step 2: Analyze Item\nAn action film.\n\n",
    "1. **Analyze user**: The user gave Dune a rating of 5.\n2. **Analyze item**: New.\n",
    "**Analyze User**\nPast ratings: Dune (rating: 5)\n\n**Analyze Item**\nA film.\n\n",
]
ENDINGS = [
    "### Step 3: Match\nGood.\n\n### Step 4: Rate\n{}",
    "**Step 3: Fit**\nGood.\n\n**Step 4: Rating: {}**",
    "**Step 4: Rate**\n**{}**",
    "User rating: {}",
    "Movie rating: {}",
    "This item's score: {}",
    "The user would rate this {}",
    "They will probably give it a rating of {}.",
    "In summary, the rating is {}.",
    "Based on this, the rating would be {}. They will love it.",
    "Given all this, a score of {}.",
    "To sum up, the rating is {}.",
    "The most likely rating is {}.",
    "Recommended rating: {}",
    "Bewertung: {}",
    "**Verdict:** rating of {}",
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("titled", TITLED)
def test_an_answer_below_titled_steps_is_read(titled: str, ending: str) -> None:
    for number in ("4", "4.5"):
        assert rating(titled + ending.format(number)) == float(number)
        assert rating(f"{titled}\n{ending.format(number)}\n") == float(number)


@pytest.mark.parametrize(
    "quote",
    [
        "- Dune, Rating: 5",
        "* Dune, Rating: 5",
        "1. Dune, Rating: 5",
        "Past ratings:\nDune, Rating: 5",
    ]
    + [
        "Dune, Rating: 5\nEmma, Rating: 5",
        "The user gave Dune a rating of 5.",
        "It was a score of 5",
    ],
)
@pytest.mark.parametrize("titled", TITLED)
def test_a_last_line_that_is_quoted_there_is_no_answer(titled: str, quote: str) -> None:
    assert rating(titled + quote) is None
    assert rating(f"{titled}\n{quote}\n") is None
    assert rating(f"{titled}{quote}\n\nThe rating is 3.") == 3
