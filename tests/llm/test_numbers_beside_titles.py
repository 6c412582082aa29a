"""A number beside a title is the candidate's, a place or a score: which one decides the order."""

# ruff: noqa: RUF001, RUF005  # dashes and commas that models write; long lists in few lines

from __future__ import annotations

import json
from typing import Any

import pytest
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.records import Item

TITLES = ["Ark", "Dune", "Kong 2", "Ran", "Up", "Nine Lives", "Big", "Them!", "Lola", "Gilda"]
TITLES += ["Diva", "Hugo"]
ITEMS = [Item(str(number), title) for number, title in enumerate(TITLES, start=1)]
ORDER = (7, 2, 12, 1, 9, 3)
PLACED = list(enumerate(ORDER, start=1))
ASCENDING = sorted(ORDER)
PLACE = {number: place for place, number in PLACED}
DOWN = PLACED[::-1]
WORDS = ["first", "second", "third", "fourth", "fifth", "sixth"]


def numbers(answer: Any) -> tuple[int, ...]:
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return read_ranking(text, len(ITEMS), ITEMS, wanted=6).numbers


def lines(form: str, rows: list[tuple[int, int]]) -> list[str]:
    return [
        form.format(place=place, n=number, title=TITLES[number - 1], word=WORDS[place - 1])
        for place, number in rows
    ]


def both(form: str, rows: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Read rows as text, and as a list of JSON."""
    return [numbers("\n".join(lines(form, rows))), numbers(lines(form, rows))]


@pytest.mark.parametrize(
    "label", ["Candidate {}: ", "#{}: ", "Option {} – ", "Item {}. ", "No. {}: ", "**{}** ", "{}| "]
)
def test_a_number_that_contradicts_its_title_is_not_read(label: str) -> None:
    wrong = [4, 9, 1, 2, 3, 6]
    rows = [label.format(n) + TITLES[t - 1] for n, t in zip(wrong, ORDER, strict=True)]
    assert numbers("\n".join(rows)) == ()
    assert numbers(rows) == ()
    tied = [1, 2, 2, 4, 5, 6]
    rows = [label.format(n) + TITLES[t - 1] for n, t in zip(tied, ORDER, strict=True)]
    assert numbers("\n".join(rows)) == ()


UNSURE = "#{place} – {n}"
COUNTDOWNS = [
    *("{place}. Candidate {n}", "Rank {place}: Candidate {n}", "{place}. #{n}", UNSURE),
    *("Platz {place}: Kandidat {n}", "Puesto {place}: {title}", "No. {place}: Candidate {n}"),
    *("{place}) Candidate {n} - {title}", "#{place}: {title}", "{place}th place: {title}"),
    *("{word}: Candidate {n}", "- {word} place: {title}", "**{word} choice** – {title}"),
]


@pytest.mark.parametrize("form", COUNTDOWNS)
def test_a_countdown_ends_with_the_best(form: str) -> None:
    for found in both(form, DOWN):
        assert found in {ORDER, ()}
    if form != UNSURE:
        assert numbers("\n".join(lines(form, DOWN))) == ORDER
    for found in both(form, PLACED):
        assert found in {ORDER, ()}


@pytest.mark.parametrize("separator", [" ", ", ", "; "])
@pytest.mark.parametrize("form", ["{place}. {title}", "{place}. Candidate {n}", "{place}: {n}"])
def test_one_of_one_line_does_so_too(form: str, separator: str) -> None:
    assert numbers(separator.join(lines(form, DOWN))) in {ORDER, ()}
    high = [(place, number + 6) for place, number in enumerate([5, 2, 6, 1, 4, 3], start=1)][::-1]
    assert numbers(separator.join(lines(form, high)))[:1] in {(11,), ()}


@pytest.mark.parametrize("form", ["{place}. {title}", "#{place} {title}", "Platz {place}: {title}"])
def test_a_countdown_of_titles_is_turned_round(form: str) -> None:
    assert read_titles("\n".join(lines(form, DOWN)), ITEMS).numbers == ORDER
    assert read_titles("\n".join(lines(form, PLACED)), ITEMS).numbers == ORDER


@pytest.mark.parametrize("key", ["place", "rank", "position"])
def test_places_may_be_words(key: str) -> None:
    rows = [{key: WORDS[place - 1], "number": n} for place, n in DOWN]
    assert numbers(rows) == ORDER
    assert numbers([{**row, key: f"The {row[key]}"} for row in rows]) == ORDER
    foreign = ["erster", "zweiter", "dritter", "vierter", "fünfter", "sechster"]
    assert numbers([{key: foreign[place - 1], "number": n} for place, n in DOWN]) == ()
    assert numbers("\n".join(f"{foreign[p - 1]}: Kandidat {n}" for p, n in DOWN)) == ()
    assert numbers([{key: "high", "number": n} for _, n in PLACED]) == ORDER


def test_numbers_that_are_those_of_their_titles_are_no_countdown() -> None:
    rows = [(n, n) for n in range(6, 0, -1)]
    assert both("{place}. {title}", rows) == [(), ()]
    listed = [f"{n}. {TITLES[n - 1]}" for n in range(12, 0, -1)]  # all, as in the prompt
    assert numbers(listed) == tuple(range(12, 0, -1))
    assert numbers([f"{n}. Candidate {n}" for n in range(12, 0, -1)]) == ()


PAIRS = [(place, n) for place, n in PLACED]


@pytest.mark.parametrize("turned", [False, True])
def test_two_numbers_in_brackets_are_one_entry(turned: bool) -> None:
    pairs = [(n, place) if turned else (place, n) for place, n in PAIRS]
    told = ", ".join(map(str, pairs))
    assert numbers(f"[{told}]") == ORDER
    assert numbers(f'{{"ranking": [{told}]}}') == ORDER
    for text in (told, told.replace("(", "").replace("),", ";").replace(")", "")):
        assert numbers(text) == ()
    assert numbers(" ".join(f"[{a}; {b}]" for a, b in pairs)) in {(), ORDER}
    assert numbers("\n".join(map(str, pairs))) in {(), ORDER}


def test_tuples_are_lists() -> None:
    assert numbers(f'{{"ranking": {tuple(ORDER)}}}') == ORDER
    assert numbers("{'ranking': ('Big', 'Dune (a classic)', 'Hugo')}") == (7, 2, 12)
    assert numbers(str(tuple(ORDER))) == ORDER
    assert numbers([[1, 9], [2, 5], [3, 7], [5, 8], [6, 1], [7, 2]]) == ()  # places, or scores


@pytest.mark.parametrize(
    "form",
    ["{title} (rank {place})", "{title} - rank {place}", "{title} (place {place})"]
    + ["{title} – position {place}", "{title}: rank {place}", "{title}, rank #{place}"]
    + ["{title} | Platz {place}", "- {title} [rank {place}]", "{n}. {title}: puesto {place}"]
    + ["**{title}** (rank: {place})"],
)
def test_places_behind_titles_give_the_order(form: str) -> None:
    rows = [(PLACE[n], n) for n in ASCENDING]
    assert both(form, rows) == [ORDER, ORDER]
    tied = [(min(PLACE[n], 4), n) for n in ASCENDING]
    assert both(form, tied) == [(), ()]
    titled = read_titles("\n".join(lines(form, rows)), ITEMS)
    assert titled.numbers == ORDER or not titled.complete


@pytest.mark.parametrize(
    "form",
    ["{title} (score: {place}/10)", "{title} – score {place}", "{title} - likelihood 0.{place}"]
    + [
        "{title}: {place}/10",
        "{title} = {place}",
        "{n}. {title}: {place}",
        "{title} ({place} points)",
    ]
    + ["{n}. {title} - {place}", "{n}. {title} ({place})", "{n}. {title} |{place}"]
    + [
        "{n}. {title}: #{place}",
        "{title} (#{place})",
        "{title}: {place}%",
        "{n}. {title} ★{place}",
    ],
)
def test_scores_behind_titles_in_the_order_of_the_prompt_give_none(form: str) -> None:
    rows = [(PLACE[n], n) for n in ASCENDING]
    assert both(form, rows) == [(), ()]
    shuffled = [(PLACE[n], n) for n in ASCENDING[3:] + ASCENDING[:3]]
    assert both(form, shuffled) == [(), ()]


@pytest.mark.parametrize(
    "form", ["{title} (score: {place}/10)", "{title} – score {place}", "{title}: {place}%"]
)
def test_scores_that_fall_confirm_the_order(form: str) -> None:
    rows = [(7 - place, n) for place, n in PLACED]
    assert both(form, rows) == [ORDER, ORDER]


@pytest.mark.parametrize(
    "form",
    ["{place}. {title} ({n})", "{title} ({n})", "{title} [{n}]", "{title} - {n}", "{title} | {n}"]
    + ["{title}, {n}", "- **{title}** (#{n})", "{title} (candidate {n})", "{title}: {n}"]
    + ["{title} → {n}"],
)
def test_the_number_of_the_title_may_stand_behind_it(form: str) -> None:
    assert both(form, PLACED) == [ORDER, ORDER]
    moved = [(place, n) for place, n in zip(range(1, 7), (*ORDER[1:], ORDER[0]), strict=True)]
    wrong = [
        form.format(place=place, title=TITLES[n - 1], n=other)
        for (place, n), other in zip(moved, ORDER, strict=True)
    ]
    assert numbers("\n".join(wrong)) == ()
    assert numbers(wrong) == ()


def test_years_and_sequels_are_no_such_numbers() -> None:
    assert numbers("Big (1988)\nDune (2021)\nHugo (2011)") == (7, 2, 12)
    assert numbers("Big\nKong 2\nHugo") == (7, 3, 12)
    assert numbers("1. Big\n2. Kong 2\n3. Hugo") == (7, 3, 12)


def test_objects_may_hold_both() -> None:
    assert numbers({"ranking": {str(n): TITLES[n - 1] for n in ORDER}}) == ORDER
    assert numbers([{str(n): TITLES[n - 1]} for n in ORDER]) == ORDER
    assert numbers({TITLES[n - 1]: 1 - place / 10 for place, n in PLACED}) == ORDER
    rows = [f"{n}|{TITLES[n - 1]}|War|9 7" for n in ORDER]
    assert numbers([{"candidate": row} for row in rows]) == ORDER
    assert numbers([{"pick": row, "why": "It fits."} for row in rows]) == ORDER


def test_objects_whose_numbers_contradict_their_titles_are_not_read() -> None:
    shifted = [*ORDER[1:], ORDER[0]]
    assert numbers({str(n): TITLES[t - 1] for n, t in zip(ORDER, shifted, strict=True)}) == ()
    rows = [f"{n}|{TITLES[t - 1]}|War" for n, t in zip(ORDER, shifted, strict=True)]
    assert numbers([{"candidate": row} for row in rows]) == ()
    assert numbers({TITLES[n - 1]: PLACE[n] / 10 for n in ASCENDING}) == ()


REFUSALS = [
    "I'm unable to help with candidate 7 because it is violent.",
    "I cannot rank these. Candidate 5 is violent.",
    "Sorry, I cannot recommend #3.",
    "I won't rank candidates 3, 7 and 9, which are violent.",
    "As an AI I may not judge number 4.",
    "My apologies, but item 2 breaks the rules.",
    "Es tut mir leid, ich kann Kandidat 7 nicht empfehlen.",
    "Je ne peux pas recommander le candidat 7.",
    "Lo siento, no puedo recomendar el candidato 7.",
    "抱歉，我无法推荐候选 7。",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_what_a_refusal_names_is_not_ranked(text: str) -> None:
    assert numbers(text) == ()


@pytest.mark.parametrize(
    "text",
    ["Sorry for the delay: 7, 2, 12", "I cannot judge all.\n1. Big\n2. Dune\n3. Hugo"]
    + ["I can't rank them all, sorry.\n7, 2, 12"],
)
def test_an_apology_before_a_list_leaves_it_alone(text: str) -> None:
    assert numbers(text) == (7, 2, 12)


@pytest.mark.parametrize("behind", ["", "\n\nI hope that helps!", "\nThey fit."])
@pytest.mark.parametrize("before", ["", "My ranking:\n", "They like war films.\n\n"])
@pytest.mark.parametrize("separator", [", ", "; ", " "])
@pytest.mark.parametrize(
    "form",
    ["{place}. {title}", "{place}) {title}", "**{place}.** {title}", "{place} - {title}"]
    + [
        "{place}: {title}",
        "Position {place} - {title}",
        "{place}th: {title}",
        "{place}. #{n} {title}",
    ],
)
def test_the_places_of_one_line_are_no_candidates(
    form: str, separator: str, before: str, behind: str
) -> None:
    order = [(1, 7), (2, 2), (3, 12), (4, 1), (5, 9), (6, 5)]
    text = f"{before}{separator.join(lines(form, order))}{behind}"
    assert numbers(text) in {(7, 2, 12, 1, 9, 5), ()}
    if form == "{place}. {title}" and separator == ", ":
        assert numbers(text) == (7, 2, 12, 1, 9, 5)
