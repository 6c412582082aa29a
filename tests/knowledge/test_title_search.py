"""Finding items by title: the year behind it, the article, typing errors, and doubts."""

import pytest
from re2llm.knowledge.titles.search import TitleSearch, settled
from re2llm.records import Item

SEARCH = TitleSearch(
    [
        Item("1", "Toy Story", {"year": 1995}),
        Item("3114", "Toy Story 2", {"year": 1999}),
        Item("2571", "The Matrix", {"year": 1999}),
        Item("6365", "The Matrix Reloaded", {"year": 2003}),
        Item("heat-1995", "Heat", {"year": 1995}),
        Item("heat-1972", "Heat", {"release_date": "1972-10-06"}),
        Item("br", "Blade Runner", {"year": 1982}),
        Item("51662", "300", {"year": 2007}),
        Item("race", "Death Race 2000", {"year": 1975}),
        Item("jacket", "Jacket, The (2005)"),
        Item("alien", "Alien"),
    ]
)


@pytest.mark.parametrize(
    ("typed", "id_"),
    [
        ("Toy Story (1995)", "1"),
        ("Matrix, The (1999)", "2571"),
        ("The Matrix (1999)", "2571"),
        ("matrix [1999]", "2571"),
        ("Heat (1995)", "heat-1995"),
        ("Heat (1972-1973)", "heat-1972"),
        ("Heat 1972", "heat-1972"),
        ("Heat, 1972", "heat-1972"),
        ("300", "51662"),
        ("300 (2007)", "51662"),
        ("Death Race 2000", "race"),
        ("Death Race 2000 (1975)", "race"),
        ("deth race 2000", "race"),
        ("The Jacket (2005)", "jacket"),
        ("Jacket, The (2005)", "jacket"),
        ("The Jacket", "jacket"),
        ("Alein", "alien"),
        # Its year is not known, so it contradicts nothing.
        ("Alein (1979)", "alien"),
    ],
)
def test_a_title_is_found_with_its_year_and_its_article(typed: str, id_: str) -> None:
    found = settled(SEARCH.find(typed))
    assert found is not None
    assert found.id == id_


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("Heat", "heat-1972"),
        ("Heat (1980)", "heat-1972"),
        ("Toy Story (1999)", "1"),
        ("Blade Runner 2049", "br"),
        ("Balien", "alien"),
    ],
)
def test_namesakes_and_another_year_are_doubts(typed: str, first: str) -> None:
    matches = SEARCH.find(typed)
    assert settled(matches) is None
    assert matches[0].item.id == first


@pytest.mark.parametrize("typed", ["", " ", "(1995)", "1995", "?", "\ud83d"])
def test_what_is_no_title_finds_nothing(typed: str) -> None:
    assert SEARCH.find(typed) == []


@pytest.mark.parametrize("part", ["x, ", " ", "1999 ", "(1999", ",", "(", "a(1999)"])
@pytest.mark.timeout(60)  # quadratic time would take far longer
def test_a_long_text_takes_no_time(part: str) -> None:
    SEARCH.find(part * 20_000)


def test_exact_titles() -> None:
    assert [item.id for item in SEARCH.exact("the matrix")] == ["2571"]
    assert {item.id for item in SEARCH.exact("HEAT")} == {"heat-1995", "heat-1972"}
    assert SEARCH.exact("matrix reloade") == SEARCH.exact("!") == []
