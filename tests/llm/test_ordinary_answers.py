"""An ordinary answer in any ordinary style is read as it is meant: every style with every other."""

# ruff: noqa: RUF001, RUF005  # dashes and stars that models write; long lists in few lines

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product

import pytest
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.records import Item

FILMS = [
    ("Alien", 1979, ["Horror", "Science Fiction"]),
    ("Sorry to Bother You", 2018, ["Comedy"]),
    ("The Matrix", 1999, ["Action", "Science Fiction"]),
    ("12 Angry Men", 1957, ["Drama"]),
    ("Heat", 1995, ["Crime", "Drama"]),
    ("Aliens", 1986, ["Action", "Horror"]),
    ("Amélie", 2001, ["Comedy", "Romance"]),
    ("The Godfather Part II", 1974, ["Crime"]),
    ("Blade Runner", 1982, ["Science Fiction"]),
    ("Sorry, Wrong Number", 1948, ["Thriller"]),
    ("No puedo vivir sin ti", 1995, ["Animation"]),
    ("Spider-Man", 2002, ["Action"]),
]
ITEMS = [
    Item(str(number), title, {"year": year, "genres": genres})
    for number, (title, year, genres) in enumerate(FILMS, start=1)
]
ORDER = (6, 9, 3, 2, 1, 12, 5, 10, 4, 8)
BEFORE = [
    "",
    "Here is my ranking:\n\n",
    "While I can't be certain, I'd recommend these:\n",
    "They like space. I can't access any ratings. Here are my picks:\n\n### Ranking\n",
]
AFTER = ["", "\n\nEnjoy!", "\n\nThese fit the history best.\nLet me know if you need more."]
AGAIN = [
    "",
    "\n\nTop pick:\n**Aliens**",
    "\n\nNotes:\n- Aliens: the sequel to one that they liked.",
]
MARKS = ["{p}. {}", "{p}) {}", "- {}", "* {}", "• {}", "{}", "**{p}.** {}", "### {p}. {}"]
NAMES = ["{t}", "**{t}**", '"{t}"']
TAILS = [
    *("", " ({y})", " ({y}) - {g}", " ({g})", " - {g}", " | {g} | {y}", ", {y}", " [{y}]"),
    *(": It is as tense as what they liked before.", " - because they like films of this kind"),
    *("\n   A film that they may like a lot.", "\n   - Themes: as before\n   - Mood: dark"),
    *(" (score: {f})", " - {f}/10", " ({f}0% match)", " – {f}%", " ★ {f}"),
]
COUNTED_TAILS = [
    *(" (score: {s})", " - {s}/10", " (confidence: 90%)", " (rating: 4.{s})", " (rank 2{s}7)"),
    *(" (popularity rank: {n}4)", " | 7.{s}", " (IMDb: 8.{s})", " - {s}0% match", "{some}"),
]
SCORES = [8, 7, 9, 9, 6, 7, 7, 5, 6, 6]


def written(mark: str, name: str, tail: str) -> str:
    rows: list[str] = []
    for place, (number, score) in enumerate(zip(ORDER, SCORES, strict=True), start=1):
        title, year, genres = FILMS[number - 1]
        facts = {"y": year, "g": ", ".join(genres), "f": 10 - place / 5, "s": score, "n": number}
        told = tail.format(**facts, some=f" (score: {score})" if place < 8 else "")
        rows.append(mark.format(name.format(t=title, n=number) + told, p=place))
    return "\n".join(rows)


def misread(text: str, *, titles: bool = True) -> bool:
    found = read_ranking(text, len(ITEMS), ITEMS)
    return found.numbers != ORDER or (titles and read_titles(text, ITEMS).numbers != ORDER)


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("mark", MARKS)
def test_titles_are_read_in_their_order(mark: str, tail: str, step: int) -> None:
    if mark == "{}" and "\n" in tail:
        return
    texts = [
        before + written(mark, name, tail) + again + after
        for name, before, again, after in product(NAMES, BEFORE, AGAIN, AFTER)
    ]
    start = (MARKS.index(mark) + TAILS.index(tail)) % step
    wrong = [text for text in texts[start::step] if misread(text)]
    assert not wrong, f"{len(wrong)} of {len(texts)}: {wrong[0]}"


@pytest.mark.parametrize("tail", COUNTED_TAILS)
@pytest.mark.parametrize("mark", [mark for mark in MARKS if "{p}" in mark])
def test_numbers_behind_titles_leave_the_places_alone(mark: str, tail: str) -> None:
    for name, (before, again) in product(NAMES, zip(BEFORE, [*AGAIN, ""], strict=True)):
        text = before + written(mark, name, tail) + again
        assert not misread(text), text


@pytest.mark.parametrize(
    "form",
    ["{p}. Candidate {n}", "{p}. {n}", "{p}. #{n} {t}", "{p}. {t} ({n})", "{p}. [{n}] {t}", "- {n}"]
    + ["{n}. {t}", "- {n}: {t}", "| {p} | {n} | {t} |", "{t} (candidate {n})", "- **{t}** (#{n})"],
)
def test_candidates_numbers_are_read_too(form: str) -> None:
    head = "| Rank | Candidate | Title |\n|---|---|---|\n" if form.startswith("|") else ""
    rows = [
        form.format(p=place, n=number, t=FILMS[number - 1][0])
        for place, number in enumerate(ORDER, start=1)
    ]
    for before, after in product(BEFORE, AFTER):
        text = before + head + "\n".join(rows) + after
        assert not misread(text, titles=False), text


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "```\n{}\n```"])
def test_so_is_json(fence: str) -> None:
    titles = [FILMS[number - 1][0] for number in ORDER]
    rows = [{"rank": p, "candidate": n} for p, n in enumerate(ORDER, start=1)]
    why = [{"candidate": n, "reason": "like @Alien@ (the film)"} for n in ORDER]
    quoted = json.dumps({"ranking": why}).replace("@", '"')
    loose = quoted.replace('like "Alien" (the film)', 'like ("Alien") film')
    listed = quoted.replace('like "Alien" (the film)', 'like ["Alien"] film')
    forms = [{"ranking": list(ORDER)}, list(ORDER), {"ranking": titles}, titles, {"ranking": rows}]
    for said in [*map(json.dumps, forms), quoted, loose, listed]:
        for before, after in product(BEFORE, AFTER):
            text = before + fence.format(said) + after
            assert not misread(text, titles=False), text


@pytest.mark.parametrize("heading", ["Final ranking:", "In short:", "**Summary**"])
@pytest.mark.parametrize("mark", ["{p}. {}", "- {}", "* {}", "{p}) {}"])
def test_a_list_may_come_again_in_the_same_order_alone(mark: str, heading: str) -> None:
    for name, tail in product(NAMES, ("", " ({y})", "\n   A film that they may like a lot.")):
        first, again = written(mark, name, tail), written(mark, "{t}", "")
        short = "\n".join(again.split("\n")[:3])
        for text in (f"{first}\n\n{heading}\n{again}", f"{first}\n\n{heading}\n{short}"):
            assert not misread(text), text
        other = "\n".join(
            line.replace("Aliens", "@").replace("Heat", "Aliens").replace("@", "Heat")
            for line in again.split("\n")
        )
        text = f"First guess:\n{first}\n\n{heading}\n{other}"
        assert read_ranking(text, len(ITEMS), ITEMS).numbers == ()
        assert read_titles(text, ITEMS).numbers == ()


@pytest.mark.parametrize("mark", ["{p}. {}", "- {}", "{}"])
def test_an_unknown_title_leaves_the_others_in_their_places(mark: str) -> None:
    for place in (0, 4, 9):
        lines = written(mark, "{t}", "").split("\n")
        lines[place] = mark.format("Some Other Film", p=place + 1)
        left = ORDER[:place] + ORDER[place + 1 :]
        text = "\n".join(lines)
        assert read_ranking(text, len(ITEMS), ITEMS).numbers == left
        assert read_titles(text, ITEMS).numbers == left


KINDS = ["{p}. {}", "{p}) {}", "- {}", "* {}", "{}", "**{p}.** {}"]


def shown(mark: str, numbers: Sequence[int]) -> str:
    rows = enumerate((FILMS[number - 1][0] for number in numbers), start=1)
    return "\n".join(mark.format(title, p=place) for place, title in rows)


@pytest.mark.parametrize("last", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_a_walk_or_a_draft_is_not_taken_for_the_answer(first: str, last: str) -> None:
    draft = (*ORDER[5:], *ORDER[:5])
    for before in (range(1, len(FILMS) + 1), draft):
        for heading in ("The candidates:", "First thoughts:"):
            text = f"{heading}\n{shown(first, before)}\n\nFinal ranking:\n{shown(last, ORDER)}"
            for found in (read_ranking(text, len(ITEMS), ITEMS), read_titles(text, ITEMS)):
                assert found.numbers in {(), ORDER}, text


@pytest.mark.parametrize("mark", [mark for mark in KINDS if "{p}" in mark])
@pytest.mark.parametrize("other", ["- {}", "* {}"])
def test_lines_beside_a_numbered_list_leave_it_alone(mark: str, other: str) -> None:
    walk = shown(other, range(1, len(FILMS) + 1))
    notes = shown(other + ": fits well", [ORDER[3], ORDER[1]])
    listed = shown(mark, ORDER)
    for text in (f"Candidates:\n{walk}\n\nFinal:\n{listed}", f"{listed}\n\nNotes:\n{notes}"):
        assert not misread(text), text
    more = f"{shown(mark, ORDER[:6])}\n\nHonorable mentions:\n{shown(other, ORDER[6:])}"
    assert read_titles(more, ITEMS).numbers == ORDER


LEADS = [
    "",
    "My ranking: ",
    "Here is my ranking: ",
    "I would pick ",
    "My ranking is: ",
    "Ranking - ",
]
LEADS += ["**Ranking:** ", "Based on the history, I'd rank them: ", "The order is as follows: "]


@pytest.mark.parametrize("separator", [", ", " > ", "; ", " -> ", " | "])
@pytest.mark.parametrize("lead", LEADS)
def test_titles_may_stand_on_one_line(lead: str, separator: str) -> None:
    titles = [FILMS[number - 1][0] for number in ORDER]
    for order, end in product((ORDER, ORDER[3:] + ORDER[:3]), ("", ".", "\n\nEnjoy!")):
        text = lead + separator.join(FILMS[number - 1][0] for number in order) + end
        assert read_ranking(text, len(ITEMS), ITEMS).numbers == order, text
        assert read_titles(text, ITEMS).numbers == order, text
    for before in ("From worst to best: ", "The worst come first.\n"):
        backwards = before + separator.join(titles)
        assert read_ranking(backwards, len(ITEMS), ITEMS).numbers == ()
        assert read_titles(backwards, ITEMS).numbers == ()
