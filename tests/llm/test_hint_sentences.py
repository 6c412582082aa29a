"""The offline model writes advice as a person would, and reads its own and our examples right."""

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from re2llm.data.sample import Film, load_films
from re2llm.llm.embedding.embeddings import get_embedder
from re2llm.llm.offline.clauses import GENTLE, clauses
from re2llm.llm.offline.document import Entry, RankingDocument
from re2llm.llm.offline.features import Feature, build_features
from re2llm.llm.offline.following import clause_weights
from re2llm.llm.offline.reflecting import Cause
from re2llm.ranking.shown_evidence import WITH_EXPECTED

ROOT = Path(__file__).parents[2]
ENCODE = get_embedder().encode
PEOPLE = ("Tom Hanks", "Meg Ryan", "Al Pacino", "Jodie Foster", "Kate Winslet", "Uma Thurman")
UP, DOWN = 1.0, -1.0


def read(entries: Sequence[Entry], meaning: Mapping[str, str]) -> list[Feature]:
    candidates = entries[8:]
    numbers = range(1, len(candidates) + 1)
    return build_features(
        RankingDocument(entries[:8], candidates, numbers, "", meaning, as_json=True), ENCODE
    )


def entry(
    film: Film, draw: random.Random, more: Mapping[str, Any], meaning: Mapping[str, str]
) -> Entry:
    stats = {name: float(draw.randint(0, 50)) for name in meaning}
    return Entry(film.title, {**film.item.attributes, **more}, stats)


@cache
def films() -> list[Feature]:
    draw = random.Random(4)
    return read(
        [entry(f, draw, {}, WITH_EXPECTED) for f in draw.sample(load_films(), 40)], WITH_EXPECTED
    )


@cache
def hetrec() -> list[Feature]:
    """With the attributes of HetRec2011: actors and two scores, too."""
    draw = random.Random(5)

    def scores() -> dict[str, Any]:
        numbers = {f"{who}_score": draw.randint(1, 100) for who in ("critics", "audience")}
        return {"actors": draw.sample(PEOPLE, 3), **numbers}

    drawn = draw.sample(load_films(), 40)
    return read([entry(film, draw, scores(), WITH_EXPECTED) for film in drawn], WITH_EXPECTED)


@cache
def shop() -> list[Feature]:
    """With names and values that would turn a sentence round, split it, or be those of two."""
    draw = random.Random(6)
    meaning = {
        "sold": "how many customers bought it; popular, widely known",
        "viewed": "how often it was viewed; popular",
        "kept": "how often it is bought rather than viewed",
        "returned": "the number of people who returned it",
        "season": "how well it fits the season",
        "pairs": "how often it is bought together with the most recent items",
        "margin": "",
    }
    words = ("not_rated", "reducedPrice", "mood.", "series", "x but y", "a")
    numbers = ("stops", "without tax", "release_date", "year", "moderate_score", "ratings", "价格")
    values = ("Not Rated", "Without a Trace", "Mr. Smith", "a; b", "Comedy")

    def facts() -> dict[str, Any]:
        return {
            **{name: draw.choice(values) for name in words},
            **{name: draw.randint(1, 99) for name in numbers},
        }

    drawn = draw.sample(load_films(), 40)
    return read([entry(film, draw, facts(), meaning) for film in drawn], meaning)


# Its own sentences


@pytest.mark.long
@pytest.mark.parametrize("features", [films, hetrec, shop])
@pytest.mark.parametrize("gently", [False, True])
def test_it_reads_its_own_advice_as_it_meant_it(features: Any, gently: bool) -> None:
    """At full strength, which no other wording exceeds, and for that feature alone."""
    said: set[str] = set()
    for feature in features():
        for sign, phrases in ((UP, feature.more), (DOWN, feature.less)):
            if not phrases:
                continue
            sentence = f"{Cause(feature, sign, 1).advice(gently=gently)}."
            assert sentence not in said
            said.add(sentence)
            [clause] = clauses(sentence)
            name, weight = clause_weights(clause, features(), ENCODE).heaviest
            assert name == feature.name, sentence
            assert weight == pytest.approx(sign * (GENTLE if gently else 1)), sentence


WRITTEN = [
    (films, "evidence:chosen_by", UP, "Prefer well-known titles"),
    (films, "evidence:chosen_by", DOWN, "Prefer lesser-known titles"),
    (films, "evidence:similar_sessions", UP, "Trust what people with a similar session chose"),
    (films, "evidence:near_recent", UP, "Trust what usually follows next"),
    (films, "year:high", UP, "Prefer recent titles"),
    (films, "year:high", DOWN, "Prefer older titles"),
    (films, "year:close", UP, "Prefer titles from the same years as the history"),
    (films, "director:shared", UP, "Prefer the same director as in the history"),
    (films, "series", UP, "Prefer sequels and other parts of the same series"),
    (hetrec, "genres=Comedy", UP, "Prefer the genre Comedy"),
    (hetrec, "critics_score:high", UP, "Prefer a high critics score"),
    (hetrec, "audience_score:close", UP, "Prefer an audience score close to that of the history"),
    (shop, "ratings:high", DOWN, "Prefer low ratings"),
    (shop, "evidence:sold", UP, "Prefer well-known titles by sold"),
    (shop, "evidence:returned", UP, "Trust what many people returned"),
    (shop, "evidence:season", UP, "Prefer what fits the season well"),
    (shop, "evidence:kept", UP, "Prefer a high kept"),
    (shop, "evidence:pairs", UP, "Prefer what is often bought together with the most recent items"),
]


@pytest.mark.parametrize(("features", "name", "sign", "sentence"), WRITTEN)
def test_advice_is_a_sentence_that_a_person_would_write(
    features: Any, name: str, sign: float, sentence: str
) -> None:
    [feature] = (feature for feature in features() if feature.name == name)
    assert Cause(feature, sign, 1).advice() == sentence


def test_gentle_advice_asks_for_little() -> None:
    by_name = {feature.name: feature for feature in films()}
    people = Cause(by_name["evidence:similar_sessions"], UP, 1).advice(gently=True)
    assert people == "Lean slightly towards what people with a similar session chose"
    assert Cause(by_name["year:high"], UP, 1).advice(gently=True) == "Slightly prefer recent titles"


# The sentences of help, documentation, examples and tests

EXAMPLES: list[tuple[str, str, float]] = [
    (
        "Prefer what is likely according to past sessions and attributes together.",
        "evidence:expected",
        UP,
    ),
    ("Prefer films by directors from the history.", "director:shared", UP),
    ("Prefer the same director as in the history.", "director:shared", UP),
    ("Prefer films by the director of the last film.", "director:recent", UP),
    ("Prefer films by the directors of the most recent films.", "director:recent", UP),
    ("Prefer films by the same director.", "director:shared", UP),
    ("Prefer films of one director.", "director:shared", UP),
    ("Avoid the same director as before.", "director:shared", DOWN),
    ("Prefer films with the same actors.", "actors:shared", UP),
    ("Prefer films from the same decade.", "year:close", UP),
    ("Prefer films from the same decade as the history.", "year:close", UP),
    ("Prefer films from the decade of the most recent films.", "year:close", UP),
    ("Prefer films from the same years as the history.", "year:close", UP),
    ("Prefer films of the same era as the history.", "year:close", UP),
    ("Stay within the decade of the history.", "year:close", UP),
    ("Prefer the most recent films.", "year:high", UP),
    ("Prefer recent films.", "year:high", UP),
    ("Prefer what is new.", "year:high", UP),
    ("Prefer new films.", "year:high", UP),
    ("Avoid old films.", "year:high", UP),
    ("Prefer old classics.", "year:high", DOWN),
    ("Prefer the next part of a series.", "series", UP),
    ("Prefer films of the same franchise.", "series", UP),
    ("Prefer what everyone has seen.", "evidence:chosen_by", UP),
    ("Prefer films that many people know.", "evidence:chosen_by", UP),
    ("Prefer what many people know.", "evidence:chosen_by", UP),
    ("Prefer what many people chose.", "evidence:chosen_by", UP),
    ("Prefer popular, widely known films.", "evidence:chosen_by", UP),
    ("Prefer high popularity.", "evidence:chosen_by", UP),
    ("Avoid popular films.", "evidence:chosen_by", DOWN),
    ("Do not rely on popularity.", "evidence:chosen_by", DOWN),
    ("Look for obscure, lesser-known films.", "evidence:chosen_by", DOWN),
    ("Trust what people with similar sessions chose next.", "evidence:similar_sessions", UP),
    ("Prefer what people with a similar session chose.", "evidence:similar_sessions", UP),
    ("Give weight to what people with a similar session chose.", "evidence:similar_sessions", UP),
    ("Give more weight to how often it was chosen right before or after the most recent items.",
     "evidence:near_recent", UP),
    ("Avoid what was chosen right before or after the most recent items.",
     "evidence:near_recent", DOWN),
    ("Look at what usually follows right after the most recent films.", "evidence:near_recent", UP),
    ("Prefer films of the same genres as in the history.", "genres:shared", UP),
    ("Choose comedies.", "genres=Comedy", UP),
    ("Prefer comedies.", "genres=Comedy", UP),
    ("Avoid dramas.", "genres=Drama", DOWN),
    ("Prefer Japanese films.", "country=Japan", UP),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "name", "sign"), EXAMPLES)
@pytest.mark.parametrize("features", [films, hetrec])
def test_our_examples_are_read_right(features: Any, sentence: str, name: str, sign: float) -> None:
    if name == "actors:shared" and features is films:
        return
    [clause] = clauses(sentence)
    heaviest, weight = clause_weights(clause, features(), ENCODE).heaviest
    same = heaviest == name or {heaviest, name} <= {"director:shared", "director:recent"}
    assert same, (heaviest, weight)
    assert weight * sign > 0.3


def test_every_hint_that_we_show_is_among_the_examples() -> None:
    begins = "(?:Prefer|Trust|Avoid|Give weight|Favor)"
    shown = re.compile(rf"[\"“]({begins} [^\"”\n{{}}]{{5,120}}?)\.?[\"”]")
    files = chain(
        ROOT.glob("docs/*.md"), [ROOT / "README.md"],
        *(ROOT.glob(f"{folder}/**/*.py") for folder in ("commands", "examples", "benchmarks")),
    )  # fmt: skip
    found = {hint for file in files for hint in shown.findall(file.read_text("utf-8"))}
    assert "Prefer films by directors from the history" in found
    assert found <= {sentence.rstrip(".") for sentence, _, _ in EXAMPLES}


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("Prefer recent films and avoid musicals.", ["Prefer recent films", "avoid musicals"]),
        ("Trust neighbours, and never repeat.", ["Trust neighbours", "never repeat"]),
        ("Prefer recent and popular films.", ["Prefer recent and popular films"]),
    ],
)
def test_a_second_piece_of_advice_is_a_clause_of_its_own(hint: str, said: list[str]) -> None:
    assert [clause.rstrip(".") for clause in clauses(hint)] == said


def test_one_thing_over_another_is_two_clauses() -> None:
    wanted, unwanted = clauses("Prefer comedies over dramas.")
    assert clause_weights(wanted, films(), ENCODE).heaviest[0] == "genres=Comedy"
    name, weight = clause_weights(unwanted, films(), ENCODE).heaviest
    assert (name, weight < 0) == ("genres=Drama", True)
