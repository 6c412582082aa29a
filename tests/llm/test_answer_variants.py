"""Whatever a model makes of the form that was asked for: it is read right, or asked for again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.responses import answer_text
from re2llm.records import Item

TITLES = ["Orbit 9", "The 12th Key", "Harvest Moon", "404", "Night Ferry", "Room 6"]
ITEMS = [Item(str(number), title) for number, title in enumerate(TITLES, start=1)]
ORDER = (5, 2, 6, 1, 4, 3)
TITLED = [TITLES[number - 1] for number in ORDER]
PLACED = list(enumerate(ORDER, start=1))
ANSWER = json.dumps({"ranking": list(ORDER)})
DRAFT = json.dumps({"ranking": [1, 2, 3, 4, 5, 6]})


def read(answer: Any) -> tuple[int, ...]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return read_ranking(answer_text(AIMessage(text)), len(ITEMS), ITEMS).numbers


NUMBERS: list[Any] = [
    {"ranking": [float(n) for n in ORDER]},
    f'{{"ranking": [{", ".join(f"{n}.00" for n in ORDER)}]}}',
    f'{{"ranking": [{", ".join(f"{n}e0" for n in ORDER)}]}}',
    f'{{"ranking": [{", ".join(f"{n}.0E+0" for n in ORDER)}]}}',
    {"ranking": [str(n) for n in ORDER]},
    {"ranking": [f"{n}.0" for n in ORDER]},
    {"ranking": [f"#{n}" for n in ORDER]},
    {"ranking": [f"{n}." for n in ORDER]},
    {"ranking": [f"({n})" for n in ORDER]},
    {"ranking": [f"[{n}]" for n in ORDER]},
    {"ranking": [f"candidate {n}" for n in ORDER]},
    {"ranking": [f"Item #{n}" for n in ORDER]},
    {"ranking": [f"item_{n}" for n in ORDER]},
    {"ranking": [5, "2", 6.0, "#1", "4", 3]},
    {"ranking": ", ".join(map(str, ORDER))},
    {"ranking": " > ".join(map(str, ORDER))},
    [float(n) for n in ORDER],
]
OBJECTS: list[Any] = [
    {"ranking": [{"rank": place, "id": n} for place, n in PLACED]},
    {"ranking": [{"id": n, "rank": place} for place, n in PLACED]},
    {"ranking": [{"rank": place, "candidate": n} for place, n in PLACED]},
    {"ranking": [{"position": place, "item_id": str(n)} for place, n in PLACED]},
    {"ranking": [{"Rank": place, "Number": n, "title": TITLES[n - 1]} for place, n in PLACED]},
    {"ranking": [{"place": place, "movie": f"#{n}", "score": 1 / place} for place, n in PLACED]},
    {"ranking": [{"rank": place, "title": TITLES[n - 1]} for place, n in PLACED]},
    {"ranking": [{"id": place, "candidate": n} for place, n in PLACED]},
    {"ranking": [{"rank": p, "candidate": {"number": n, "title": "?"}} for p, n in PLACED]},
    {"ranking": [{"rank": place, "item": f"{n}. {TITLES[n - 1]}"} for place, n in PLACED]},
    {"ranking": [{"number": n, "rank": ORDER.index(n) + 1} for n in range(1, 7)]},
    {"ranking": [{"number": n, "score": 1 - ORDER.index(n) / 9} for n in range(1, 7)]},
    {"ranking": [[place, n] for place, n in PLACED]},
    [{"rank": place, "candidate_number": n, "reason": "It fits."} for place, n in PLACED],
    "\n".join(json.dumps({"rank": place, "id": n}) for place, n in PLACED),
    json.dumps({"ranking": [{"id": n, "reason": "a;b"} for n in ORDER]}).replace(";", "\n"),
    {"result": {"items": [{"rank": place, "id": n} for place, n in PLACED]}},
]
PLACES: list[Any] = [
    {str(place): n for place, n in PLACED},
    {"ranking": {str(place): n for place, n in PLACED}},
    {"ranking": {f"rank_{place}": float(n) for place, n in PLACED}},
    {"ranking": {str(place): f"#{n}" for place, n in PLACED}},
    {"ranking": {str(place): TITLES[n - 1] for place, n in PLACED}},
    {"ranking": {str(place): {"id": n} for place, n in PLACED}},
    {"ranking": {str(n): place for place, n in PLACED}},
    {"ranking": {f"candidate {n}": ORDER.index(n) + 1 for n in range(1, 7)}},
    {"ranking": {str(n): 1 - place / 10 for place, n in PLACED}},
    {"ranking": {TITLES[n - 1]: place for place, n in PLACED}},
    {str(place): n for place, n in reversed(PLACED)},
]
WITH_TITLES: list[Any] = [
    {"ranking": TITLED},
    TITLED,
    {"titles": TITLED},
    {"ranking": [title.upper() for title in TITLED]},
    {"ranking": [f"{n}. {TITLES[n - 1]}" for n in ORDER]},
    {"ranking": [f"{n}: {TITLES[n - 1]}" for n in ORDER]},
    {"ranking": [f"#{n} {TITLES[n - 1]}" for n in ORDER]},
    {"ranking": [f"[{n}] {TITLES[n - 1]} (2001)" for n in ORDER]},
    {"ranking": [f"{n} - {TITLES[n - 1]}" for n in ORDER]},
    {"ranking": [f"Candidate {n}: {TITLES[n - 1]}" for n in ORDER]},
    {"ranking": [f"{place}. {TITLES[n - 1]}" for place, n in PLACED]},
    "\n".join(f"{n}. {TITLES[n - 1]}" for n in ORDER),
    "\n".join(f"{place}. {TITLES[n - 1]}" for place, n in PLACED),
    "Sure:\n" + "\n".join(f"{place}. **{TITLES[n - 1]}**" for place, n in PLACED) + "\nEnjoy!",
    "\n".join(TITLED),
    {"ranking": [f"{TITLES[n - 1]} (#{n})" for n in ORDER]},
    "\n".join(f"{place}. [{n}] {TITLES[n - 1]}" for place, n in PLACED),
    "Sure!\n\n" + "\n".join(f"{place}) **[{n}]** {TITLES[n - 1]}" for place, n in PLACED),
]
PROSE: list[Any] = [
    "\n".join(f"{place}. candidate {n}" for place, n in PLACED),
    "\n".join(f"Rank {place}: candidate {n}" for place, n in PLACED),
    ", ".join(f"{place}: {n}" for place, n in PLACED),
    "; ".join(f"{n} ({place})" for place, n in PLACED),
    "First candidate 5, then candidate 2, candidate 6, candidate 1, candidate 4, candidate 3.",
    "| Rank | Candidate |\n|---|---|\n" + "\n".join(f"| {p} | {n} |" for p, n in PLACED),
    "| # | Title |\n| --- | --- |\n" + "\n".join(f"| {p} | {TITLES[n - 1]} |" for p, n in PLACED),
    "rank,candidate\n" + "\n".join(f"{place},{n}" for place, n in PLACED),
]
THOUGHTS = [
    f"<think>{DRAFT}</think>{ANSWER}",
    f"<thinking>\n{DRAFT}\n</thinking>\n\n{ANSWER}",
    f"[THINK]Perhaps {DRAFT}, or not.[/THINK]{ANSWER}",
    f"Perhaps {DRAFT}.\n</think>\n{ANSWER}",
    (
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>"
        f"{ANSWER}<|return|>"
    ),
    f"analysisPerhaps {DRAFT}assistantfinal{ANSWER}",
    f"<|START_THINKING|>{DRAFT}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
    f"Here is my thought process: {DRAFT}\nHere is my response: {ANSWER}",
    f'<think time="3">{DRAFT}</think>\n<answer>\n{ANSWER}\n</answer>',
    f"A first draft: {DRAFT}\nOn second thought, the final answer: {ANSWER}",
    f"```json\n{DRAFT}\n```\nNo, that is their order. Corrected:\n```json\n{ANSWER}\n```",
    json.dumps({"draft_ranking": [1, 2, 3, 4, 5, 6], "final_ranking": list(ORDER)}),
    json.dumps({"reasoning": DRAFT, "ranking": list(ORDER)}),
    json.dumps({"considered": [1, 2, 3, 4, 5, 6], "ranking": list(ORDER)}),
]
WRAPPED: list[Any] = [
    [{"ranking": list(ORDER)}],
    [{"name": "rank", "arguments": {"ranking": list(ORDER)}}],
    {"name": "rank", "arguments": ANSWER},
    {"tool": "rank", "call_id": "x", "input": json.dumps({"ranking": [str(n) for n in ORDER]})},
    {"rank": [place for place, _ in PLACED], "candidate": list(ORDER)},
    {"position": [place for place, _ in PLACED], "title": TITLED},
    {"candidate": list(range(1, 7)), "rank": [ORDER.index(n) + 1 for n in range(1, 7)]},
    " > ".join(f"[{n}]" for n in ORDER),
    "Ranking: " + ">".join(f"[{n}]" for n in ORDER) + ".",
    f"At first: {' > '.join(f'[{n}]' for n in range(1, 7))}, but rather\n"
    + " > ".join(f"[{n}]" for n in ORDER),
    f"[1] > [2] > [3]? No.\n{ANSWER}",
    f"[1] > [2] > [3]? No.\n{list(ORDER)}",
]
ALL = [*WRAPPED, *NUMBERS, *OBJECTS, *PLACES, *WITH_TITLES, *PROSE, *THOUGHTS]


@pytest.mark.parametrize("answer", ALL, ids=lambda answer: json.dumps(answer)[:60])
def test_a_variant_is_read_as_it_is_meant(answer: Any) -> None:
    assert read(answer) == ORDER


@pytest.mark.parametrize("answer", NUMBERS[:9])
def test_numbers_in_another_dress_need_no_flag(answer: Any) -> None:
    assert read_ranking(json.dumps(answer) if isinstance(answer, dict) else answer, 6).flags == []


@pytest.mark.parametrize("answer", [*OBJECTS, *PLACES, *WITH_TITLES, *PROSE])
def test_another_form_is_flagged(answer: Any) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    assert "wrong_format" in read_ranking(text, 6, ITEMS).flags


DOUBTFUL: list[Any] = [
    {"worst_to_best": list(ORDER)},
    {"least likely to most likely": list(ORDER)},
    {"ranking": list(ORDER), "note": "In reverse order, so the best is last."},
    f"From the worst to the best: {', '.join(map(str, ORDER))}",
    f"Ranked from least likely to most likely:\n{ANSWER}",
    f"In ascending order of likelihood: {' < '.join(map(str, ORDER))}",
    {"ranking": [{"a": 5, "b": 2}, {"a": 2, "b": 6}, {"a": 6, "b": 5}]},
    {"ranking": [{"rank": 1}, {"rank": 2}, {"rank": 3}]},
    {"ranking": [{"rank": 1, "id": 5}, {"rank": 1, "id": 2}, {"rank": 2, "id": 6}]},
    {"ranking": [{"id": 5, "title": "Orbit 9"}, {"id": 2, "title": "Room 6"}]},
    {"ranking": ["5. Orbit 9", "2. Room 6", "4. Night Ferry"]},
    {"ranking": {"5": 2, "2": 6, "6": 1}},
    {"first": [5, 2, 6], "second": [1, 4, 3]},
    {"best": 5, "rest": [2, 6, 1, 4, 3]},
    {"winner": "#5", "others": [2, 6, 1]},
    {"scores": [3, 5, 1, 2, 6, 4]},
    {"likelihoods": [3, 5, 1, 2, 6, 4]},
    {"likelihood": {"1": 4, "2": 6, "3": 1, "4": 3, "5": 5, "6": 2}},
    {"ratings": [3, 5, 1, 2, 6, 4]},
    {"result": {"scores": {"1": 4, "2": 6, "3": 1, "4": 3, "5": 5, "6": 2}}},
    {"relevance": {"1": 2, "2": 5, "3": 1, "4": 3, "5": 6, "6": 4}},
    {"rank": [1, 2, 3], "candidate": [5, 2]},
    {"rank": [1, 2, 3], "reason": ["a", "b", "c"]},
    "[{'rank': 1, 'id': 5}, {'rank': 2, 'id': 2}, {'rank': 3, 'id': 6}]",
    '{"ranking": [{"rank": 1, "id": 5}, {"rank": 2, "id"',
    "Place 1 goes to 5, place 2 to 2 and place 3 to 6.",
    "1. Some\n2. Other\n3. Things",
]


@pytest.mark.parametrize("answer", DOUBTFUL, ids=lambda answer: json.dumps(answer)[:60])
def test_what_can_be_read_in_two_ways_is_asked_for_again(answer: Any) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    result = read_ranking(text, 6, ITEMS)
    assert not result.complete
    assert {"wrong_format", "missing"} <= set(result.flags)
    right = [n for n in result.numbers if n in ORDER]
    assert right == sorted(right, key=ORDER.index)


FORMS = [
    lambda rows: json.dumps({"ranking": [{"rank": p, "title": t} for p, t in rows]}),
    lambda rows: json.dumps([{"title": t, "position": p} for p, t in rows]),
    lambda rows: json.dumps({"place": [p for p, _ in rows], "title": [t for _, t in rows]}),
    lambda rows: json.dumps({"ranking": {t: p for p, t in rows}}),
    lambda rows: json.dumps({"ranking": {f"rank_{p}": t for p, t in rows}}),
    lambda rows: json.dumps([{f"rank {p}": t} for p, t in rows]),
    lambda rows: "| Rank | Title |\n|---|---|\n" + "\n".join(f"| {p} | {t} |" for p, t in rows),
    lambda rows: "order,title\n" + "\n".join(f"{p},{t}" for p, t in rows),
    lambda rows: "\n".join(f"- rank: {p}\n  title: {t}" for p, t in rows),
    lambda rows: "\n".join(f"{t} (rank {p})" for p, t in rows),
    lambda rows: "\n".join(f"{t}: {p}" for p, t in rows),
    lambda rows: "\n".join(f"rank {p}: {t}" for p, t in rows),
]


@pytest.mark.parametrize("form", FORMS)
def test_places_that_are_the_candidates_own_numbers_sort_nothing(form: Any) -> None:
    titles = ["Ark", "Heat", "Kong", "Ran", "Up", "Alien"]
    items = [Item(str(number), title) for number, title in enumerate(titles, start=1)]
    for order in (ORDER, ORDER[:4], ORDER[::-1]):
        own = form([(number, titles[number - 1]) for number in order])
        assert read_ranking(own, 6, items).numbers in {(), order}
        for rows in ([*enumerate(order, 1)], sorted(enumerate(order, 1), key=lambda row: row[1])):
            placed = form([(place, titles[number - 1]) for place, number in rows])
            assert read_ranking(placed, 6, items).numbers in {(), order}


def test_places_beside_candidates_count_or_keep_the_order() -> None:
    def ranked(places: list[int], **beside: list[int]) -> tuple[int, ...]:
        rows = zip(ORDER, places, *beside.values(), strict=False)
        keys = ("id", "rank", *beside)
        return read({"ranking": [dict(zip(keys, row, strict=True)) for row in rows]})

    assert ranked([9, 4, 12, 7, 2]) == ranked([2, 2, 3, 4, 5]) == ()
    assert ranked([2, 4, 7, 9, 12]) == ORDER[:5]
    assert ranked([5, 4, 3, 2, 1]) == ORDER[4::-1]
    assert ranked(list(ORDER)) == ()
    rows = [{"position": n, "rank": p, "title": TITLES[n - 1]} for p, n in PLACED]
    assert read({"ranking": rows}) == ORDER


REASONS = [
    "I moved the last candidate to the top.",
    "At least similar to the first one.",
    "It went from worst to best in my view.",
    "From Worst to First",
]
BEFORE = [
    "The history is in reverse order.",
    "They watched these in reverse order.",
    "Ranked from best to worst, not in ascending order:",
    "The list is not sorted from worst to best:",
    "A fan of From Worst to First likes these:",
    "I moved the last candidate to the top:",
]


@pytest.mark.parametrize(
    "answer",
    [
        *({"ranking": list(ORDER), "reason": reason} for reason in REASONS),
        *({"reason": reason, "ranking": list(ORDER)} for reason in REASONS),
        {"history_in_reverse_order": ["Room 6"], "ranking": list(ORDER)},
        *(f"{said}\n{ANSWER}" for said in BEFORE),
        *(f"{said} {list(ORDER)}" for said in BEFORE),
        *(f"{said}\n\n```json\n{ANSWER}\n```\n{REASONS[0]}" for said in BEFORE),
        f"From worst to best would be wrong. So I list the likeliest of them first: {ANSWER}",
        "\n".join(f"{n}. {TITLES[n - 1]} goes from worst to best" for n in ORDER),
        "\n".join(f"{place}. candidate {n}: {REASONS[1]}" for place, n in PLACED),
    ],
    ids=lambda answer: json.dumps(answer)[:60],
)
def test_what_is_said_of_something_else_does_not_reverse_a_ranking(answer: Any) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    items = [*ITEMS[:3], Item("4", "From Worst to First"), *ITEMS[4:]]
    assert read_ranking(text, 6, items).numbers == ORDER


@pytest.mark.parametrize(
    "answer",
    [
        {"result": {"ranking_worst_to_best": list(ORDER)}},
        {"ranking": {"least_likely_to_most_likely": list(ORDER)}},
        {"arguments": json.dumps({"last_to_first": list(ORDER)})},
        {"ranking": list(ORDER), "note": "The list is sorted from worst to best."},
        f"By their history, from the worst candidate to the best:\n{list(ORDER)}",
        f"I ranked them from last to first.\nHere is the list:\n```json\n{ANSWER}\n```",
        f"From Worst to First is good. This is in reverse order:\n{ANSWER}",
        f"Not by year, but in ascending order:\n{ANSWER}",
        "In reverse order:\n" + "\n".join(f"{p}. candidate {n}" for p, n in PLACED),
        f'Worst to best: {{"ranking": {list(ORDER)[:3]}'[:-1],
    ],
    ids=lambda answer: json.dumps(answer)[:60],
)
def test_what_is_said_of_the_list_does(answer: Any) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    items = [*ITEMS[:3], Item("4", "From Worst to First"), *ITEMS[4:]]
    assert read_ranking(text, 6, items).numbers == ()


def test_a_final_answer_that_is_cut_off_outweighs_a_draft() -> None:
    result = read_ranking(f'{DRAFT}\nFinal: {{"ranking": [5, 2, 6', 6, ITEMS)
    assert result.numbers == (5, 2, 6)
    assert "missing" in result.flags


def test_two_answers_that_differ_are_flagged() -> None:
    assert read_ranking(f"{DRAFT}\n{ANSWER}", 6).flags == ["wrong_format"]
    assert read_ranking(f"{ANSWER}\nAgain: {ANSWER}", 6).flags == []


def test_a_number_may_be_a_title() -> None:
    items = [Item("a", "300"), Item("b", "1408"), Item("c", "Nine")]
    assert read_ranking('["1408", "Nine", "300"]', 3, items).numbers == (2, 3, 1)
    assert read_ranking('["1408", "300"]', 3, items).numbers == (2, 1)
    assert read_ranking('["2", "3", "1"]', 3, items).numbers == (2, 3, 1)


def test_of_titles_that_are_the_same_the_number_decides() -> None:
    items = [Item("a", "Kong"), Item("b", "Kong"), Item("c", "Ark")]
    assert read_ranking('["2. Kong", "3. Ark", "1. Kong"]', 3, items).numbers == (2, 3, 1)
