"""How the offline model reflects: from the messages alone, and in words that it follows itself."""

import json
import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from numpy.typing import NDArray
from re2llm.data.sample import load_films
from re2llm.knowledge.sessions.evidence import EVIDENCE
from re2llm.llm.embedding.embeddings import get_embedder
from re2llm.llm.hints.answers import read_hints
from re2llm.llm.hints.reflection_prompt import MOST_HINTS, comparison_messages
from re2llm.llm.hints.repeat_answers import read_repeated
from re2llm.llm.offline import OfflineRanker
from re2llm.llm.offline.features import build_features
from re2llm.llm.offline.following import clause_weights, clauses
from re2llm.llm.offline.reading import RankingDocument, read_ranking_task
from re2llm.llm.offline.reflecting import Cause, causes, repeated

MODEL = OfflineRanker()
ENCODE = get_embedder().encode

Document = dict[str, Any]

# Shops, not films, and no word of our own prompts: what to rank, and what was bought.
SHOP: Document = {
    "history": [
        {"title": "Quorvex", "category": ["Garden"], "maker": "Ada", "price": 12},
        {"title": "Zimbrel", "category": ["Garden", "Tools"], "maker": "Ada", "price": 15},
    ],
    "evidence_meaning": {
        "sold": "how many customers bought it; popular, widely known",
        "pairs": "how often it is bought together with the most recent items",
    },
    "candidates": [
        {
            "number": number,
            "title": f"{start}{end}",
            "category": ["Garden"] if number % 3 else ["Toys"],
            "maker": "Ada" if number % 4 == 0 else f"Maker {number}",
            "price": 10 + number,
            "evidence": {"sold": 3 * number % 17, "pairs": 40 if number == 21 else number % 2},
        }
        for number, (start, end) in enumerate(
            ((s, e) for s in ("Blon", "Frex", "Murg", "Tald", "Wisp") for e in "aeiou"), start=1
        )
    ],
}
SHOP_TITLES = [entry["title"].lower() for entry in [*SHOP["history"], *SHOP["candidates"]]]


def by_hand(document: Document, number: int) -> list[BaseMessage]:
    """A conversation as somebody else's program might hold it, up to the reveal."""
    task = f"Somebody asks what to buy next. {json.dumps(document)} Sort by number, please."
    ranking = MODEL.invoke([HumanMessage(task)]).text
    chosen = next(entry for entry in document["candidates"] if entry["number"] == number)
    return [
        SystemMessage("You help in a shop."),
        HumanMessage(task),
        AIMessage(ranking),
        HumanMessage("That was wrong. Which mistakes could you have made?"),
        AIMessage("I do not know."),
        HumanMessage(f"It was this: {json.dumps({'chosen': chosen})}. Why did you miss it?"),
    ]


def advised(document: Document, number: int) -> list[str]:
    conversation = [
        *by_hand(document, number),
        AIMessage("Because."),
        HumanMessage("Now write hints as a JSON object with the key hints."),
    ]
    return json.loads(MODEL.invoke(conversation).text)["hints"]


def rank(document: Document, number: int, hint: str | None = None) -> int:
    asked = {**document, "hint": hint} if hint else document
    return json.loads(MODEL.invoke(json.dumps(asked)).text)["ranking"].index(number) + 1


# Reflecting


def test_a_conversation_by_hand() -> None:
    conversation = by_hand(SHOP, 21)
    assert rank(SHOP, 21) > 1
    suspected = MODEL.invoke(conversation[:4]).text
    assert suspected
    assert not any(title in suspected.lower() for title in SHOP_TITLES)
    explained = MODEL.invoke(conversation).text
    assert "evidence:pairs" in explained
    hints = advised(SHOP, 21)
    assert any("bought together with the most recent items" in hint for hint in hints)
    assert len(hints) <= MOST_HINTS


def test_it_is_told_the_target_by_the_messages_alone() -> None:
    """Another chosen item, another lesson; none chosen, none."""
    assert advised(SHOP, 21) != advised(SHOP, 25)
    conversation = by_hand(SHOP, 21)[:4]
    assert MODEL.invoke(conversation).text == MODEL.invoke(by_hand(SHOP, 25)[:4]).text


def test_the_same_conversation_has_the_same_answer() -> None:
    assert advised(SHOP, 21) == advised(SHOP, 21)


@pytest.mark.parametrize("chosen", [{"number": 99}, {"number": "21"}, {"title": "Blona"}, 21, None])
def test_a_chosen_item_that_cannot_be_found_is_no_crash(chosen: object) -> None:
    conversation = by_hand(SHOP, 21)[:5]
    reveal = f"It was {json.dumps({'chosen': chosen})}. Why did you miss it?"
    for question in (reveal, f"{reveal} Write hints."):
        assert MODEL.invoke([*conversation, HumanMessage(question)]).text


def test_no_hint_names_an_item() -> None:
    for number in range(1, 26):
        for hint in advised(SHOP, number):
            words = set(re.findall(r"\w+", hint.lower()))
            assert not words & set(SHOP_TITLES), hint
            assert not re.search(r"\d", hint), hint
            assert "maker" not in words or "ada" not in words


def test_the_best_hint_lifts_the_chosen_item() -> None:
    lifted = 0
    missed = [number for number in range(1, 26) if rank(SHOP, number) > 5]
    for number in missed:
        hints = advised(SHOP, number)
        before = rank(SHOP, number)
        lifted += min(rank(SHOP, number, hint) for hint in hints) < before
    assert lifted >= 0.8 * len(missed)


def test_a_hint_asks_for_no_more_than_it_takes() -> None:
    """Where a gentle wording lifts the item as high, the plain one is not proposed."""
    gentle = 0
    for number in range(1, 26):
        for hint in advised(SHOP, number):
            if "slight" not in hint.lower():
                continue
            gentle += 1
            plain = hint.replace("slight ", "").replace("Slightly prefer", "Prefer")
            plain = plain.replace("slightly ", "")
            assert plain not in advised(SHOP, number)
            assert rank(SHOP, number, hint) <= rank(SHOP, number, plain)
    assert gentle


# Hearing what it says itself


def films_document() -> RankingDocument:
    draw = random.Random(4)
    films = draw.sample(load_films(), 40)
    document = {
        "history": [{"title": f.title, **f.item.attributes} for f in films[:8]],
        "evidence_meaning": dict(EVIDENCE),
        "candidates": [
            {
                "number": number,
                "title": film.title,
                **film.item.attributes,
                "evidence": {name: draw.randint(0, 50) for name in EVIDENCE},
            }
            for number, film in enumerate(films[8:], start=1)
        ],
    }
    found = read_ranking_task([HumanMessage(json.dumps(document))])
    assert found is not None
    return found


def no_meaning(texts: Sequence[str]) -> NDArray[np.float32]:
    """Spares collecting the tests the weights: features are named without them."""
    return np.zeros((len(texts), 384), dtype=np.float32)


FILM_FEATURES = [c for c in build_features(films_document(), no_meaning) if "=" not in c.name]
WAYS = [
    (feature.name, sign)
    for feature in FILM_FEATURES
    for sign, phrases in ((1.0, feature.more), (-1.0, feature.less))
    if phrases
]


@pytest.mark.parametrize(("name", "sign"), WAYS)
def test_what_it_advises_it_follows(name: str, sign: float) -> None:
    features = build_features(films_document(), ENCODE)
    feature = next(feature for feature in features if feature.name == name)
    weights: list[float] = []
    for gently in (False, True):
        for clause in clauses(f"{Cause(feature, sign, 1).advice(gently=gently)}."):
            heaviest, weight = clause_weights(clause, features, ENCODE).heaviest
            assert heaviest == name
            weights.append(weight * sign)
    *plain, gentle = weights
    assert 0 < gentle < min(plain) / 2


def test_causes_lift_one_after_the_other() -> None:
    document = films_document()
    for number in document.numbers:
        ranks = [cause.rank for cause in causes(document, number, ENCODE)]
        assert ranks == sorted(ranks, reverse=True)
        assert len(ranks) == len(set(ranks)) <= 3


# Comparing

SAME = [
    ("Prefer films by the same director.", "Prefer films by the same director"),
    ("PREFER films by the same director.", "Prefer films by the same director."),
    ("Prefer what many people know.", "Prefer what many people know!"),
    ("Prefer new films; give weight to the genre.", "Give weight to the genre; prefer new films."),
    ("Avoid old films.", "avoid old films"),
]
DIFFERENT = [
    ("Prefer what is new.", "Slightly prefer what is new."),
    ("Give weight to the genre.", "Give slight weight to the genre."),
    ("Prefer what is new.", "Prefer what is old."),
    ("Prefer films by the same director.", "Avoid films by the same director."),
    ("Prefer films by the same director.", "Do not prefer films by the same director."),
    ("Prefer high popularity.", "Prefer low popularity."),
    ("Prefer what is similar to the history.", "Prefer what is different from the history."),
    ("Prefer the same genre.", "Prefer the same director."),
    ("Prefer the same genre.", "Prefer the same genre; prefer new films."),
    ("Prefer the same genre; prefer new films.", "Prefer the same genre; avoid new films."),
    ("Prefer the same country as in the history.", "Prefer the same year as in the history."),
    ("Give weight to what is obscure.", "Give weight to what is popular."),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_advice_is_known_again(one: str, other: str) -> None:
    assert repeated(one, [other], ENCODE) == 1
    assert repeated(other, [one], ENCODE) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_advice_is_no_repeat(one: str, other: str) -> None:
    assert repeated(one, [other], ENCODE) == 0
    assert repeated(other, [one], ENCODE) == 0


def test_it_names_the_number_of_the_hint_that_is_repeated() -> None:
    known = ["Prefer new films.", "Prefer films by the same director.", "Avoid old films."]
    for number, hint in enumerate(known, start=1):
        assert repeated(hint, known, ENCODE) == number
        assert MODEL.invoke(comparison_messages(hint, known)).text == str(number)
    assert MODEL.invoke(comparison_messages("Weigh the country.", known)).text == "0"
    assert MODEL.invoke(comparison_messages("Weigh the country.", [])).text == "0"


def test_its_own_advice_is_told_apart() -> None:
    """What it says about one feature or direction never repeats what it says about another."""
    advice = {
        (feature.name, sign): f"{Cause(feature, sign, 1).advice()}."
        for feature in FILM_FEATURES
        for sign, phrases in ((1.0, feature.more), (-1.0, feature.less))
        if phrases
    }
    for way, hint in advice.items():
        others = [other for key, other in advice.items() if key != way]
        assert repeated(hint, others, ENCODE) == 0, hint


@pytest.mark.long
@given(document=st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
))  # fmt: skip
@examples(max_examples=60, deadline=None)
def test_no_comparison_crashes_it(document: object) -> None:
    for asked in ({"new_hint": document}, {"new_hint": "x", "known_hints": document}):
        assert MODEL.invoke(json.dumps(asked)).text


# Reading answers

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(st.sampled_from(["hints", "hint", "x"]), inner, max_size=2)
    ),
    max_leaves=15,
)
answers = st.one_of(
    st.text(),
    json_values.map(json.dumps),
    st.tuples(st.text(max_size=20), json_values.map(json.dumps), st.text(max_size=20)).map("".join),
    st.lists(st.text(max_size=40), max_size=12).map(lambda ls: "\n".join(f"- {x}" for x in ls)),
    st.sampled_from(["[" * 9_000, '{"hints": ' * 5_000, '{"hints":["' + "x" * 50_000, "\0" * 50]),
)


@pytest.mark.long
@given(answer=answers)
@examples(max_examples=400, deadline=None)
def test_reading_hints_never_raises(answer: str) -> None:
    hints = read_hints(answer)
    assert len(hints) <= MOST_HINTS
    assert len(hints) == len(set(hints))
    for hint in hints:
        assert len(hint) >= 10
        assert hint == " ".join(hint.split())


@pytest.mark.long
@given(answer=st.one_of(st.text(), st.integers().map(str), answers), known=st.integers(0, 9))
@examples(max_examples=400, deadline=None)
def test_reading_a_comparison_never_raises(answer: str, known: int) -> None:
    number = read_repeated(answer, known)
    assert number is None or 0 <= number <= known


LONG = [f"Prefer the kind of film with the number {n}." for n in "abcdefgh"]


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"hints": LONG}),
        json.dumps(LONG),
        f"Here you are:\n```json\n{json.dumps({'hints': LONG})}\n```\nGood luck!",
        f"I think {{so}}. {json.dumps({'hints': LONG})}",
        f"[1] as said: {json.dumps({'hints': LONG})}",
        json.dumps({"causes": ["x"], "hints": LONG}),
        "\n".join(f"{n}. {hint}" for n, hint in enumerate(LONG, start=1)),
        "Sure:\n" + "\n".join(f"- **{hint}**" for hint in LONG),
        json.dumps({"hints": [None, 3, *LONG, LONG[0]]}),
    ],
)
def test_hints_are_read_from_any_usual_form(answer: str) -> None:
    assert read_hints(answer) == LONG[:MOST_HINTS]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("2", 2), ("0", 0), ("**3**", 3), ("Hint 1.", 1), ("4", None), ("no", None), ("", None),
        ("-1", None), ("9" * 50, None), ("The answer is 2", 2), ("²", None), ("٣", 3),
    ],
)  # fmt: skip
def test_comparisons_are_read(answer: str, expected: int | None) -> None:
    assert read_repeated(answer, 3) == expected
