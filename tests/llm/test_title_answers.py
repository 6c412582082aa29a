"""Reading titles: what the papers' code got wrong, and what may never be confused."""

# ruff: noqa: RUF001  # typographic quotes and dashes are what models write

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from re2llm.evaluation.recorded import strict_rank
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.llm.ranking_answers.title_match import Titles
from re2llm.records import Item

TITLES = [
    "Alien",
    "Aliens",
    "Dr. No",
    "Kiss Me; Kill Me",
    "Planes, Trains & Automobiles",
    "8 Mile",
    "12 Angry Men",
    "2001: A Space Odyssey",
    "The Matrix",
    "Godfather, The",
    "Star Wars: Episode VI - Return of the Jedi",
    "Spy Kids",
    "Spy Kids 2: Island of Lost Dreams",
    "L.A. Confidential",
    "Amélie",
    "Se7en",
    "Who's Afraid of Virginia Woolf?",
    "Eternal Sunshine of the Spotless Mind",
    "Traffic",
    "E.T.",
]
ITEMS = [Item(str(n), title) for n, title in enumerate(TITLES)]


def read(text: str, items: Sequence[Item] = ITEMS) -> list[str]:
    return [items[number - 1].title for number in read_titles(text, items).numbers]


LINES = {
    "plain": ("Dr. No", "Dr. No"),
    "numbered": ("3. Dr. No", "Dr. No"),
    "bracketed": ("(3) Dr. No", "Dr. No"),
    "in square brackets": ("[3] Dr. No", "Dr. No"),
    "closing bracket": ("3) Dr. No", "Dr. No"),
    "colon": ("3: Dr. No", "Dr. No"),
    "hash": ("#3 Dr. No", "Dr. No"),
    "dash number": ("3 - Dr. No", "Dr. No"),
    "bullet": ("• Dr. No", "Dr. No"),
    "bold": ("**Dr. No**", "Dr. No"),
    "numbered and bold": ("3. **Dr. No**", "Dr. No"),
    "bold number": ("**3. Dr. No**", "Dr. No"),
    "bold with a reason": ("3. **Dr. No** - the first of them", "Dr. No"),
    "quoted": ('3. "Dr. No"', "Dr. No"),
    "typographic quotes": ("3. “Dr. No”", "Dr. No"),
    "typographic apostrophe": (
        "Who’s Afraid of Virginia Woolf?",
        "Who's Afraid of Virginia Woolf?",
    ),
    "entity": ("5. Planes, Trains &amp; Automobiles", "Planes, Trains & Automobiles"),
    "numeric entity": ("Who&#39;s Afraid of Virginia Woolf?", "Who's Afraid of Virginia Woolf?"),
    "semicolon": ("4. Kiss Me; Kill Me", "Kiss Me; Kill Me"),
    "number in front": ("8. 8 Mile", "8 Mile"),
    "its own number": ("8 Mile", "8 Mile"),
    "number like a place": ("12 Angry Men", "12 Angry Men"),
    "place and number": ("12. 12 Angry Men", "12 Angry Men"),
    "number with a colon": ("2001: A Space Odyssey", "2001: A Space Odyssey"),
    "after the first dot": ("L.A. Confidential", "L.A. Confidential"),
    "lost article": ("Matrix", "The Matrix"),
    "turned article": ("Matrix, The", "The Matrix"),
    "turned back": ("The Godfather", "Godfather, The"),
    "year": ("Alien (1979)", "Alien"),
    "case": ("alien", "Alien"),
    "final dot": ("E.T", "E.T."),
    "dashes": (
        "Star Wars: Episode VI – Return of the Jedi",
        "Star Wars: Episode VI - Return of the Jedi",
    ),
    "explained": ("Alien - a classic of horror", "Alien"),
    "explained in brackets": ("Alien (a classic of horror)", "Alien"),
    "misspelt": ("Eternal Sunshine of the Spotelss Mind", "Eternal Sunshine of the Spotless Mind"),
    "decomposed accents": ("Ame\u0301lie", "Amélie"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "title"), LINES.values(), ids=LINES.keys())
def test_a_line_is_read(line: str, title: str) -> None:
    assert read(line) == [title]
    assert read(f"Here you are:\n1. Spy Kids\n{line}\n") == ["Spy Kids", title]


OTHERS = [
    "Alien 3",
    "Alien: Resurrection",
    "Alien - Resurrection",
    "Alienz",
    "Spy Kids 3",
    "Spy Kids 2",
    "Trafic",
    "2010: The Year We Make Contact",
    "9 Mile",
    "Star Wars",
    "Star Wars: Episode V - The Empire Strikes Back",
    "No",
    "The",
    "Dr.",
    "",
    "I cannot help with that.",
]


@pytest.mark.parametrize("line", OTHERS)
def test_another_film_is_not_confused_with_a_candidate(line: str) -> None:
    assert read(f"1. {line}") == []


def test_alien_and_aliens_are_told_apart() -> None:
    assert read("1. Aliens\n2. Alien") == ["Aliens", "Alien"]
    only = [Item("1", "Alien"), Item("2", "Heat")]
    assert read("1. Aliens\n2. Heat", only) == ["Heat"]
    assert read_titles("1. Aliens\n2. Heat", only).invented == 1


def test_a_year_tells_films_of_one_title_apart() -> None:
    kongs = [Item(y, "King Kong", {"year": int(y)}) for y in ("1933", "1976", "2005")]
    for number, year in enumerate(("1933", "1976", "2005"), start=1):
        assert read_titles(f"King Kong ({year})", kongs).numbers == (number,)
    assert read_titles("King Kong (1999)", kongs).numbers == ()
    assert read_titles("King Kong\nKing Kong", kongs).numbers == (1, 2)


def test_other_shapes() -> None:
    assert read('["Heat?", "Alien", "Dr. No"]') == ["Alien", "Dr. No"]
    assert read('{"titles": ["Dr. No", "Alien"]}') == ["Dr. No", "Alien"]
    assert read("Alien; Dr. No; Spy Kids") == ["Alien", "Dr. No", "Spy Kids"]
    assert read("Alien, Dr. No, Spy Kids") == ["Alien", "Dr. No", "Spy Kids"]
    assert read("Kiss Me; Kill Me") == ["Kiss Me; Kill Me"]
    assert read("Planes, Trains & Automobiles") == ["Planes, Trains & Automobiles"]


def test_faults_are_counted_against_the_ten_that_were_asked_for() -> None:
    answer = read_titles("Sure:\n1. Alien\n2. Aliens\n3. Alien\n4. Some Other Film\nEnjoy!", ITEMS)
    assert answer.faults == {"wrong_format": 1, "repeated": 1, "invented": 1, "missing": 8}
    ten = "\n".join(f"{n}. {title}" for n, title in enumerate(TITLES[:10], start=1))
    assert read_titles(ten, ITEMS).faults == {}


def test_the_strict_parser_has_the_authors_defects() -> None:
    assert strict_rank("1. Alien\n2. Heat", "Heat") == 2
    assert strict_rank("1. Dr. No", "Dr. No") == 0
    assert strict_rank("1. **Heat**", "Heat") == 0


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["1. " * 50_000, "Alien\n" * 100_000, "[" * 100_000, "*" * 200_000, "a " * 200_000]
)
def test_huge_answers_are_read_in_no_time(text: str) -> None:
    assert len(read_titles(text, ITEMS).numbers) <= len(ITEMS)


@given(st.text() | st.lists(st.sampled_from([*TITLES, *OTHERS])).map("\n".join))
def test_reading_never_fails_and_never_invents(text: str) -> None:
    answer = read_titles(text, ITEMS)
    assert len(set(answer.numbers)) == len(answer.numbers)
    assert all(1 <= number <= len(ITEMS) for number in answer.numbers)
    assert answer.missing == max(0, 10 - len(answer.numbers))


@given(st.permutations(TITLES))
def test_a_full_list_is_read_exactly(titles: list[str]) -> None:
    numbered = "\n".join(f"{n}. {title}" for n, title in enumerate(titles, start=1))
    assert read(numbered) == titles
    assert read("\n".join(f"- **{title}**" for title in titles)) == titles


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *(("Rocky 2", "Rocky II"), ("Rocky", "Rocky"), ("Twelve Angry Men", "12 Angry Men")),
        ("Ocean's 13", "Ocean's Thirteen"),
        *(("MASH", "M*A*S*H"), ("Fast and Furious", "Fast & Furious"), ("Amelie", "Am\u00e9lie")),
        *(("Seven", None), ("Rocky 3", None), ("Frozen", None)),
    ],
)
def test_spellings_of_one_title_are_one(said: str, meant: str | None) -> None:
    titles = ["Rocky", "Rocky II", "12 Angry Men", "M*A*S*H", "Fast & Furious", "Am\u00e9lie"]
    titles += ["Seven Samurai", "Frozen II", "Ocean's Thirteen"]
    found = Titles([Item(title, title) for title in titles]).find(said)
    assert [titles[number - 1] for number in found] == ([] if meant is None else [meant])


ANSWERS = {
    "an invented next turn": "1. Alien\n2. Traffic\nUser: more\nAssistant:\n1. Aliens",
    "thoughts": "<think>1. Aliens</think>1. Alien\n2. Traffic",
    "a draft in JSON": '["Aliens"]\nFinal: ["Alien", "Traffic"]',
    "brackets before JSON": 'Titles [as asked]: ["Alien", "Traffic"]',
    "JSON that is cut off": '{"titles": ["Alien", "Traffic", "Aliens',
    "other quotes": "['Alien', 'Traffic']",
    "full-width digits": "\uff11\uff0eAlien\n\uff12\uff0eTraffic",
    "invisible signs": "\ufeff1. Al\u200bien\n2. Traffic\u200e",
    "other line ends": "Alien\rTraffic",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_other_answers_are_read(answer: str) -> None:
    assert read(answer) == ["Alien", "Traffic"]


@pytest.mark.parametrize(
    "answer",
    [
        "From worst to best:\n1. Alien\n2. Traffic",
        '{"reasoning": "I compare "Alien", "Traffic" and',
    ],
)
def test_titles_in_doubt_are_not_read(answer: str) -> None:
    assert read(answer) == []


def test_signs_that_are_written_otherwise_do_not_hide_a_title() -> None:
    items = [Item("1", "\u6708\u3001\u661f"), Item("2", "\u0645\u06cc\u200c\u062e\u0648")]
    assert read_titles(
        "1. \u0645\u06cc\u200c\u062e\u0648\n2. \u6708\u3001\u661f", items
    ).numbers == (2, 1)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("form", ["{p}. {t}", "- {t}", "{t}"])
def test_as_many_titles_are_read_as_can_be_asked_for(form: str) -> None:
    many = [Item(str(number), f"Film {number} of the Series") for number in range(1, 1_001)]
    order = [*range(1_000, 500, -1), *range(1, 501)]
    rows = [form.format(p=p, t=many[n - 1].title) for p, n in enumerate(order, start=1)]
    answer = read_titles("Here they are:\n\n" + "\n".join(rows), many, 1_000)
    assert answer.numbers == tuple(order)
    assert answer.complete
