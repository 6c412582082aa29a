"""A number that begins a title numbers no line of a list; one before a title does."""

# ruff: noqa: RUF001  # dashes that models write

from __future__ import annotations

from itertools import product

import pytest
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.records import Item

WORDED = ["12 Monkeys", "8 Mile", "Heat", "2001: A Space Odyssey", "Alien", "Seven", "Jaws", "Big"]
YEARS = [1995, 2002, 1995, 1968, 1979, 1995, 1975, 1988]
DATED = [f"{title} ({year})" for title, year in zip(WORDED, YEARS, strict=True)]
"""As MovieLens writes them."""
MARKED = ["Heat", "...And Justice for All", "*batteries not included", "'Round Midnight"]
MARKED += ["Alien", "Jaws", "Big", "Fargo"]
NUMERALS = ["Heat", "300", "Alien", "1917", "Seven", "Jaws", "Big", "Fargo"]
ORDER = (5, 2, 8, 4, 1, 7, 3, 6)
MARKS = ["{}", "**{}**", '"{}"', "*{}*"]
BULLETS = ["", "- ", "* "]
BEHIND = ["", " – they like dark films with a slow pace.", " (a film of their taste)"]
AROUND = ["{}", "Here is my ranking:\n\n{}\n\nLet me know if you want more!"]


def ranked(titles: list[str], lines: list[str], around: str) -> tuple[int, ...]:
    items = [
        Item(str(number), title, {"year": year})
        for number, (title, year) in enumerate(zip(titles, YEARS, strict=True), start=1)
    ]
    return read_ranking(around.format("\n".join(lines)), len(items), items, wanted=8).numbers


@pytest.mark.parametrize(("bullet", "mark"), [*product(BULLETS, MARKS)])
@pytest.mark.parametrize("titles", [WORDED, DATED], ids=["worded", "dated"])
@pytest.mark.parametrize("behind", BEHIND)
def test_a_title_with_a_number_in_front_is_one_of_the_others(
    titles: list[str], bullet: str, mark: str, behind: str
) -> None:
    for around in AROUND:
        lines = [f"{bullet}{mark.format(titles[n - 1])}{behind}" for n in ORDER]
        assert ranked(titles, lines, around) == ORDER


@pytest.mark.parametrize(("bullet", "mark"), [*product(BULLETS, MARKS)])
def test_a_title_that_is_a_number_no_candidate_has_is_one_of_the_others(
    bullet: str, mark: str
) -> None:
    for around in AROUND:
        lines = [f"{bullet}{mark.format(NUMERALS[n - 1])}" for n in ORDER]
        assert ranked(NUMERALS, lines, around) == ORDER


@pytest.mark.parametrize("behind", [": fits", " - 0.9", " because it is dark", ": tense, dark"])
def test_lines_that_cannot_be_read_are_not_read_by_such_titles_alone(behind: str) -> None:
    lines = [f"- {WORDED[n - 1]}{behind}" for n in ORDER]
    assert ranked(WORDED, lines, "{}") == ()


@pytest.mark.parametrize("form", ["{place}. {title}", "{n}. {title}", "{place}. [{n}] {title}"])
def test_a_number_before_such_a_title_still_counts(form: str) -> None:
    lines = [
        form.format(place=place, n=n, title=WORDED[n - 1]) for place, n in enumerate(ORDER, start=1)
    ]
    assert ranked(WORDED, lines, "{}") == ORDER
    lines = [f"{n}" for n in ORDER]
    assert ranked(NUMERALS, lines, "{}") == ORDER


@pytest.mark.parametrize("form", ["{n}. {title}", "[{n}] {title}"])
@pytest.mark.parametrize("behind", ["", " ({year})", " - tense and dark"])
def test_a_number_before_a_title_that_begins_with_a_mark_counts(form: str, behind: str) -> None:
    written = f"{form}{behind}"
    lines = [written.format(n=n, title=MARKED[n - 1], year=YEARS[n - 1]) for n in ORDER]
    assert ranked(MARKED, lines, "{}") == ORDER


@pytest.mark.parametrize("behind", ["", " (1990)"])
def test_the_line_of_a_title_that_begins_with_a_mark_is_not_dropped(behind: str) -> None:
    items = [Item(title, title, {"year": 1990}) for title in ("Heat", "Big", "'Tis")]
    text = "\n".join(f"{n}. {items[n - 1].title}{behind}" for n in (3, 1, 2))
    assert read_ranking(text, len(items), items, wanted=3).numbers == (3, 1, 2)
