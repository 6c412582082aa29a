"""Keys, labels and headings with a number: of a place, of a candidate, or of either."""

from __future__ import annotations

import json
from typing import Any

import pytest
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.records import Item

ORDER = (5, 2, 6, 1, 4, 3)
PLACED = list(enumerate(ORDER, start=1))


def read(answer: Any) -> tuple[int, ...]:
    return read_ranking(answer if isinstance(answer, str) else json.dumps(answer), 6).numbers


def mapped(label: str, pairs: Any) -> list[Any]:
    """Return a mapping, in the forms that models give it."""
    keyed = {label.format(key): value for key, value in pairs}
    lines = [f"{key}: {value}" for key, value in keyed.items()]
    return [
        keyed,
        {"ranking": keyed},
        {"ranking": [{key: value} for key, value in keyed.items()]},
        {"ranking": {key: str(value) for key, value in keyed.items()}},
        {"ranking": lines},
        "\n".join(lines),
        "\n".join(f"- **{key}**: {value}" for key, value in keyed.items()),
        ", ".join(lines),
    ]


OWN = [(n, ORDER.index(n) + 1) for n in range(1, 7)]
PLACE_LABELS = [
    *("rank_no_{}", "rank_number_{}", "rankNo{}", "Rank No. {}", "position_no_{}", "Ranking {}"),
    *("choice_no_{}", "top_number_{}", "Pick No. {}", "slot_no_{}", "spot number {}", "best_nr_{}"),
    *("Platz Nr. {}", "Rang n° {}", "rang_numéro_{}", "Puesto núm. {}", "Место № {}"),
    *("Choix n° {}", "Wahl Nr. {}", "gradino {}", "casino_{}", "rank_{}_candidate", "Top {} movie"),
    *("place_id_{}", "slot_id_{}", "top_item_{}", "{}st place", "{}. Platz", "No. {} place"),
]
CANDIDATE_LABELS = [
    *("candidate_{}", "candidate_no_{}", "Candidate No. {}", "item_id_{}", "Item number {}"),
    *("Kandidat Nr. {}", "Candidat n° {}", "candidato_núm_{}", "Film № {}", "Rank of item {}"),
    *("candidate_{}_rank", "Rank of No. {}", "rank_of_{}", "candidateNo{}"),
]


@pytest.mark.parametrize("label", PLACE_LABELS)
def test_a_number_after_a_word_for_a_place_is_no_candidate(label: str) -> None:
    for answer in mapped(label, PLACED):
        assert read(answer) in {ORDER, ()}, answer


@pytest.mark.parametrize("label", PLACE_LABELS[:17])
def test_keys_that_number_places_are_read(label: str) -> None:
    assert {read(answer) for answer in mapped(label, PLACED)[:4]} == {ORDER}


@pytest.mark.parametrize("label", CANDIDATE_LABELS)
def test_a_number_after_a_word_for_a_candidate_is_no_place(label: str) -> None:
    read_as = [read(answer) for answer in mapped(label, OWN)]
    assert set(read_as[:4]) == {ORDER}
    assert set(read_as) <= {ORDER, ()}


@pytest.mark.parametrize("label", ["No. {}", "number_{}", "Nr. {}", "N° {}", "№ {}", "num_{}"])
def test_a_mere_number_in_a_key_may_be_a_place_or_a_candidate(label: str) -> None:
    for pairs in (PLACED, OWN):
        assert {read(answer) for answer in mapped(label, pairs)[:4]} == {()}


@pytest.mark.parametrize("place", ["Rank No.", "Platz Nr.", "Rang n°", "choice_no", "Nr.", "№"])
@pytest.mark.parametrize("candidate", ["Candidate", "Candidate No.", "Film Nr.", "item_id"])
def test_columns_of_places_and_of_candidates_are_told_apart(place: str, candidate: str) -> None:
    known = place not in {"Nr.", "№"}
    for pairs in (PLACED, [(p, n) for n, p in OWN]):
        rows = [{place: p, candidate: n} for p, n in pairs]
        lines = [f"{p} | {n}" for p, n in pairs]
        side = {key: [row[key] for row in rows] for key in (place, candidate)}
        table = "\n".join([f"| {place} | {candidate} |", "|---|---|", *(f"| {e} |" for e in lines)])
        for answer in ({"ranking": rows}, table, *((side,) if known else ())):
            assert read(answer) in ({ORDER} if known else {ORDER, ()})


TITLES = ["Alien", "Fargo", "Heat", "Se7en", "Portal", "Dr. No"]


def read_titles(answer: str) -> tuple[int, ...]:
    items = [Item(str(number), title) for number, title in enumerate(TITLES, 1)]
    return read_ranking(answer, 6, items).numbers


def test_a_row_that_holds_a_word_for_a_number_is_no_heading() -> None:
    """All rows before a heading that comes later are left out."""
    seen = {"Fargo": "yes", "Heat": "no", "Alien": "yes", "Portal": "yes", "Dr. No": "n"}
    rows = "\n".join(f"| {title} | {word} |" for title, word in seen.items())
    assert read_titles(f"| Title | Seen |\n|---|---|\n{rows}")[:5] == (2, 3, 1, 5, 6)


@pytest.mark.parametrize(
    "name", ["choice_number", "pick_number", "recommendation_number", "suggestion_number"]
)
@pytest.mark.parametrize("place", ["rank", "order", "#", "priority", None])
def test_the_number_of_a_choice_may_be_its_candidates(name: str, place: str | None) -> None:
    rows = [
        {**({} if place is None else {place: at}), name: number}
        for at, number in enumerate(ORDER, 1)
    ]
    assert read({"ranking": rows}) in {ORDER, ()}
    if place in {"rank", "order", None}:
        assert read({"ranking": rows}) == ORDER


@pytest.mark.parametrize("label", ["Candidate number {}", "candidate_id_{}", "Candidate id {}"])
def test_a_number_in_brackets_is_not_taken_for_the_candidate(label: str) -> None:
    lines = [f"{label.format(number)} ({place})" for number, place in OWN]
    for text in ("\n".join(lines), ", ".join(lines)):
        assert read(text) in {ORDER, ()}


@pytest.mark.parametrize(
    "line",
    [
        "{}. rank {}",
        "{} -> rank {}",
        "{} = rank {}",
        "#{} rank {}",
        "No. {} ranked {}",
        "{}: rank {}",
    ],
)
def test_a_candidate_with_its_rank_is_read(line: str) -> None:
    assert read("\n".join(line.format(*pair) for pair in OWN)) == ORDER


@pytest.mark.parametrize("label", ["No. {}", "ID {}", "choice_{}", "place_{}", "spot {}"])
def test_keys_that_do_not_count_up_are_no_places(label: str) -> None:
    some = {label.format(number): place for number, place in ((6, 2), (3, 1), (5, 3))}
    assert read({"ranking": some})[:3] == (3, 6, 5)


@pytest.mark.parametrize("label", ["Movie rank {}", "Candidate rank {}", "Item position {}"])
def test_the_word_right_before_a_number_decides(label: str) -> None:
    keyed = {label.format(place): number for place, number in enumerate(ORDER, 1)}
    assert read({"ranking": keyed}) == ORDER
    assert read("\n".join(f"{key}: {value}" for key, value in keyed.items())) == ORDER
