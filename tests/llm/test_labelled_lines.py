"""Lines that label places, or give reasons: read right, in any language, or asked for again."""

# ruff: noqa: RUF001  # digits, dashes and ordinals of other scripts are what models write

from __future__ import annotations

import json

import pytest
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.records import Item

PLAIN = ["Orbit 9", "The 12th Key", "Harvest Moon", "404", "Night Ferry", "Room 6"]
PARTED = [
    *("Mission: Impossible", "Alien", "Alien: Covenant"),
    *("Star Wars: Episode VI - Return of the Jedi", "Spider-Man", "2001: A Space Odyssey"),
]
ORDER = (3, 6, 1, 5, 4, 2)
REASONS = [
    "Dark and tense, as they like it.",
    "a slow classic of the genre",
    "Fast action from start to end, and they like it",
    "The hero is young and funny",
    "Fits the 2 space films they saw.",
    "It has the mood of what they watched",
]


def items(titles: list[str]) -> list[Item]:
    return [Item(str(number), title) for number, title in enumerate(titles, start=1)]


def lines(form: str, titles: list[str]) -> str:
    return "\n".join(
        form.format(p=place, n=number, t=titles[number - 1], r=REASONS[place - 1])
        for place, number in enumerate(ORDER, start=1)
    )


@pytest.mark.parametrize("titles", [PLAIN, PARTED], ids=["plain", "parted"])
@pytest.mark.parametrize(
    "form",
    [
        *("{p}. {t}: {r}", "{p}. {t} - {r}", "{p}. **{t}** — {r}", "{p}. **{t}:** {r}"),
        *("{p}. **{t}**: {r}", "- {t}: {r}", '{p}) "{t}" – {r}', "{p}. {t} ({r})", "{t}: {r}"),
        *("{p}. *{t}*. {r}", "{p}. {t}, because {r}", "{p}: {t} | {r}", "{p}. {t}; {r}"),
        *("Platz {p}: {t}: {r}", "{p}er : {t} – {r}"),
    ],
)
def test_a_reason_behind_a_title_is_left_out(form: str, titles: list[str]) -> None:
    text = lines(form, titles)
    assert read_ranking(text, 6, items(titles)).numbers == ORDER
    assert read_titles(text, items(titles)).numbers == ORDER
    listed = json.dumps({"ranking": text.split("\n")})
    assert read_ranking(listed, 6, items(titles)).numbers == ORDER


@pytest.mark.parametrize(
    "line",
    [
        "Alien: Resurrection",
        "Alien: Resurrection: dark and long, as they like it.",
        "Alien: Covenant of the Dead",
        "alien: resurrection of the dead ones",
        "Alien : la résurrection",
        "Alien: Romulus - it is dark and they like dark films",
        "Alien: Covenant is dark, and they like it.",
        "Spider-Man: Homecoming",
        "Spider-Man : loin de chez soi",
        "Star Wars: The Empire Strikes Back: they like this saga a lot.",
        "2010: The Year We Make Contact: a slow classic of the genre.",
    ],
)
def test_another_part_of_a_series_is_no_reason(line: str) -> None:
    text = f"1. Alien: Covenant\n2. {line}\n3. Mission: Impossible"
    assert set(read_ranking(text, 6, items(PARTED)).numbers) <= {1, 3}
    assert set(read_titles(text, items(PARTED)).numbers) <= {1, 3}


LABELS = [
    *("第{p}名：", "第{p}位 ", "Platz {p}: ", "{p}. Platz: ", "{p}er: ", "{p}ère : ", "{p}e : "),
    *("{p}位 ", "{p}位：", "{p}위: ", "{p}º ", "{p}º lugar: ", "{p}.º lugar: ", "{p}° posto: "),
    *("{p}-е место: ", "Место {p}: ", "Rang {p} – ", "Puesto {p}: ", "Posição {p}: "),
    *("{p}st place: ", "Rank {p} → ", "**Rank #{p}:** ", "Position {p} = "),
]
OTHER_LABELS = [
    *("№{p} ", "№{p}: ", "#{p} — ", "TOP {p}: ", "Top{p} ", "Pick {p}: ", "Choice #{p}: "),
    *("<{p}> ", "{p}/ ", "{p}~ ", "{p} → ", "{p} = ", "P{p}: ", "hạng {p}: ", "المرتبة {p}: "),
]


@pytest.mark.parametrize("label", [*LABELS, *OTHER_LABELS])
def test_a_label_of_a_place_is_no_candidate(label: str) -> None:
    for entry in ("{t}", "candidate {n}", "**{t}**"):
        assert read_ranking(lines(label + entry, PLAIN), 6, items(PLAIN)).numbers == ORDER
    assert read_titles(lines(label + "{t}", PLAIN), items(PLAIN)).numbers == ORDER


@pytest.mark.parametrize("label", LABELS)
def test_known_words_for_places_tell_them_from_candidates(label: str) -> None:
    assert read_ranking(lines(label + "{n}", PLAIN), 6, items(PLAIN)).numbers == ORDER


@pytest.mark.parametrize(
    "label", ["후보 {p}: ", "{p}번: ", "P{p}: ", "#{p} — ", "{p} → ", "<{p}> "]
)
def test_other_words_before_numbers_may_be_candidates(label: str) -> None:
    assert not read_ranking(lines(label + "{n}", PLAIN), 6, items(PLAIN)).complete


def test_titles_that_count_are_no_labels() -> None:
    titles = ["Part 1: Dawn", "Part 2: Dusk", "Dawn", "Dusk"]
    assert read_ranking("Part 1: Dawn\nPart 2: Dusk", 4, items(titles)).numbers == (1, 2)


PAIRS = dict(enumerate((9, 8, 7, 6, 5, 4, 3, 2, 1, 10), start=1))


@pytest.mark.parametrize("form", ["{}: {}", "{}={}", "{} ({})", "{} -> {}", "{}-{}"])
@pytest.mark.parametrize("between", [", ", "; ", "\n"])
def test_pairs_of_numbers_may_be_scores(form: str, between: str) -> None:
    text = between.join(form.format(*pair) for pair in PAIRS.items())
    assert not read_ranking(text, 20).complete
    falling = between.join(form.format(place, 21 - place) for place in range(1, 11))
    assert not read_ranking(falling, 20).complete


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1: 3, 2: 6, 3: 1, 4: 5, 5: 4, 6: 2", True),
        ("Scores - 1: 3, 2: 6, 3: 1, 4: 5, 5: 4, 6: 2", False),
        ("1: 3, 2: 6, 3: 1", False),
        ('{"1": 3, "2": 6, "3": 1, "4": 5, "5": 4, "6": 2}', True),
        ('{"1": 3, "2": 6, "3": 1}', False),
    ],
)
def test_pairs_of_all_candidates_are_places(text: str, read: bool) -> None:
    assert read_ranking(text, 6).numbers == (ORDER if read else ())


def test_a_mapping_of_some_numbers_may_hold_scores() -> None:
    assert not read_ranking(json.dumps(PAIRS), 20).complete
    assert read_ranking(json.dumps({f"rank_{p}": n for p, n in PAIRS.items()}), 20).complete


def test_a_list_that_is_called_final_outweighs_a_ranking() -> None:
    both = {"ranking": [1, 2, 3, 4, 5, 6], "final": list(ORDER)}
    assert read_ranking(json.dumps(both), 6).numbers == ()
    assert read_ranking(json.dumps({**both, "ranking": list(ORDER)}), 6).numbers == ORDER


def test_an_unknown_title_in_its_place_is_no_candidate() -> None:
    text = "1. Orbit 9\n2. Some Other Film\n3. Harvest Moon"
    found = read_ranking(text, 6, items(PLAIN))
    assert 2 not in found.numbers
    assert not found.complete


TITLED = [PLAIN[number - 1] for number in ORDER]


@pytest.mark.parametrize(
    "answer",
    [
        {"ranking": [{str(place): n} for place, n in enumerate(ORDER, start=1)]},
        {"ranking": [{f"rank{place}": title} for place, title in enumerate(TITLED, start=1)]},
        {"ranking": [{title: "It fits."} for title in TITLED]},
        {"ranking": [{title: 1 - place / 10} for place, title in enumerate(TITLED, start=1)]},
        {"ranking": ["three", "six", "one", "five", "four", "two"]},
        {"first": 3, "second": 6, "third": 1, "fourth": 5, "fifth": 4, "sixth": 2},
        {"choices": [{"message": {"content": json.dumps({"ranking": ORDER})}}]},
        {"tool_calls": [{"function": {"name": "rank", "arguments": '{"ranking": [3,6,1,5,4,2]}'}}]},
        '{"ranking": [3 6 1 5 4 2]}',
        '{"ranking": [3; 6; 1; 5; 4; 2]}',
        '{"ranking": [3, 6, 1, 5, 4, 2}',
        " → ".join(TITLED),
        " ".join(f"{place}. {title}" for place, title in enumerate(TITLED, start=1)),
    ],
    ids=lambda answer: str(answer)[:50],
)
def test_another_shape_is_read(answer: object) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    assert read_ranking(text, 6, items(PLAIN)).numbers == ORDER


@pytest.mark.parametrize(
    "answer",
    [
        {"ranking": [{title: place} for place, title in enumerate(PLAIN, start=4)]},
        {"ranking": [{title: place % 3} for place, title in enumerate(TITLED, start=1)]},
        {"ranking": [{str(place): place % 3} for place in range(1, 7)]},
        "In [3 of 6] films",
    ],
    ids=lambda answer: str(answer)[:50],
)
def test_another_shape_in_no_clear_order_is_not(answer: object) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    assert read_ranking(text, 6, items(PLAIN)).numbers == ()
