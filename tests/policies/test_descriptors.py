"""Session descriptors: figures by hand, for any domain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from re2llm.arrays import standardised
from re2llm.llm.offline.likeness import standardised as offline_standardised
from re2llm.policies.descriptors import DESCRIPTOR_NAMES, EVIDENCE_KINDS, session_descriptors
from re2llm.policies.session_stats import profile_scores, texts_of
from re2llm.records import Item

EMBEDDING = np.random.default_rng(0).normal(size=384)


def item(identity: int, **attributes: Any) -> dict[str, Any]:
    return {"id": str(identity), "title": f"Title {identity}", "attributes": attributes}


def named(
    history: list[dict[str, Any]],
    candidates: list[dict[str, Any]],
    evidence: list[dict[str, float]] | None = None,
    embedding: Any = EMBEDDING,
) -> dict[str, float]:
    figures = session_descriptors(history, candidates, evidence or [], embedding)
    assert figures.dtype == np.float32
    assert np.isfinite(figures).all()
    return dict(zip(DESCRIPTOR_NAMES, figures.tolist(), strict=True))


def films(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        item(i, year=1980 + i % 30, genres=["Drama", "Crime"][: 1 + i % 2], country="USA", score=i)
        for i in range(start, start + count)
    ]


def one_kind(kind: str, numbers: list[float]) -> list[dict[str, float]]:
    return [{kind: number} for number in numbers]


def test_names_are_unique_and_few() -> None:
    assert len(DESCRIPTOR_NAMES) == len(set(DESCRIPTOR_NAMES)) < 100


def test_evidence_by_hand() -> None:
    kind = EVIDENCE_KINDS[0]
    found = named(films(3), films(4, 10), one_kind(kind, [0.0, 8.0, 2.0, 0.0]))
    assert found[f"{kind}_log_mean"] == pytest.approx(math.log1p(2.5))
    assert found[f"{kind}_log_max"] == pytest.approx(math.log1p(8))
    assert found[f"{kind}_nonzero"] == 0.5
    assert found[f"{kind}_margin"] == pytest.approx(0.75)
    shares = np.array([0.8, 0.2])
    entropy = -(shares * np.log(shares)).sum() / math.log(4)
    assert found[f"{kind}_entropy"] == pytest.approx(entropy)
    logs = np.log1p([0.0, 8.0, 2.0, 0.0])
    z = np.sort((logs - logs.mean()) / logs.std())[::-1]
    assert found[f"{kind}_top_z"] == pytest.approx(z[0], rel=1e-5)
    assert found[f"{kind}_second_z"] == pytest.approx(z[1], rel=1e-5)
    assert found["together_top_z"] == pytest.approx(z[0], rel=1e-5)
    assert found["together_margin"] == pytest.approx(z[0] - z[1], rel=1e-5)


def test_agreement_of_two_kinds() -> None:
    a, b = EVIDENCE_KINDS[:2]

    def agreement(second: list[float]) -> tuple[float, float]:
        rows = [{a: x, b: y} for x, y in zip([1.0, 2.0, 3.0, 4.0], second, strict=True)]
        found = named(films(2), films(4, 5), rows)
        return found[f"{a}~{b}_rank_correlation"], found[f"{a}~{b}_same_top"]

    assert agreement([1, 5, 7, 1000]) == (pytest.approx(1), 1.0)
    assert agreement([9, 3, 2, 1]) == (pytest.approx(-1), 0.0)
    assert agreement([0, 0, 0, 0]) == (0.0, 0.0)
    # Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: Spearman with ties.
    assert agreement([0, 2, 2, 3])[0] == pytest.approx(4.5 / math.sqrt(5 * 4.5))


def test_numbers_by_hand() -> None:
    history = [item(i, year=year) for i, year in enumerate([1990, 1990, 1990, 1990, 1990, 2000])]
    candidates = [item(9, year=1980), item(10, year=2010)]
    found = named(history, candidates)
    years = np.array([1990] * 5 + [2000])
    unit = np.array([*years, 1980, 2010]).std()
    assert found["number_mean"] == pytest.approx(years.mean())
    assert found["number_max"] == 2000
    assert found["number_spread"] == pytest.approx(years.std() / unit, rel=1e-5)
    assert found["number_drift"] == pytest.approx((1992 - years.mean()) / unit, rel=1e-5)
    assert found["number_offset"] == pytest.approx((years.mean() - 1995) / unit, rel=1e-5)


def test_the_year_is_the_number_and_not_the_score() -> None:
    assert named(films(6), films(6, 9))["number_mean"] == pytest.approx(1982.5)


def test_repeating_values_by_hand() -> None:
    history = [item(i, genres=["Drama"], country="USA") for i in range(3)]
    history.append(item(3, genres=["Drama", "War"], country="France"))
    found = named(history, [item(8, genres=["War"]), item(9, genres=["Drama"], country="USA")])
    assert found["values_top_share"] == pytest.approx((1 + 0.75) / 2)
    assert found["values_most_concentrated"] == 1
    assert found["values_drift"] == 0
    assert found["profile_margin"] == pytest.approx((1 + 0.75) / math.sqrt(2) - 0.25)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"price": 3.5},
        {"tags": []},
        {"year": "1999", "flag": True},
        {"mixed": ["a", 3], "nested": {"x": 1}, "nothing": None},
        {"year": float("nan")},
        {"huge": 1e300},
    ],
)
def test_any_attributes_are_described(attributes: dict[str, Any]) -> None:
    history = [item(i, **attributes) for i in range(3)]
    named(history, [item(i + 5, **attributes) for i in range(2)])
    named(history[:1], [item(8), item(9, year=3)])


def test_short_sessions_without_evidence() -> None:
    found = named([item(1)], [item(2), item(3)], embedding=np.zeros(384))
    told = {name: value for name, value in found.items() if value != 0}
    assert told.keys() == {"history_log_length", "candidates_log_count"}


def test_strange_evidence_stays_finite() -> None:
    a, b = EVIDENCE_KINDS[:2]
    named(films(2), films(3, 5), [{a: -1.0, b: 1e9}, {a: 0.0, b: 0.0}, {"unheard of": 3.0}])


def test_the_projection_is_fixed_and_nearly_keeps_angles() -> None:
    first = named(films(2), films(2, 5))
    again = named(films(2), films(2, 5), embedding=EMBEDDING.tolist())
    assert first == again
    assert first["embedding_length"] == pytest.approx(np.linalg.norm(EMBEDDING), rel=1e-5)
    other = named(films(2), films(2, 5), embedding=2 * EMBEDDING)
    assert other["embedding_3"] == pytest.approx(2 * first["embedding_3"], rel=1e-5)


def test_the_order_of_candidates_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    candidates = films(30, 50)
    rows = [{kind: float(rng.integers(99)) for kind in EVIDENCE_KINDS} for _ in candidates]
    order = rng.permutation(30)
    shuffled = named(films(9), [candidates[i] for i in order], [rows[i] for i in order])
    straight = named(films(9), candidates, rows)
    for name, value in straight.items():
        assert shuffled[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name


def test_profile_scores_are_the_history_s_shares_of_each_value() -> None:
    history: list[dict[str, Any]] = [
        {"genre": ["a", "b"], "by": "x"},
        {"genre": ["b", "b"], "year": 1990},
    ]
    recent = history[-1:]
    offered: list[dict[str, Any]] = [
        {"genre": ["b", "c"], "by": "x"},
        {"by": "b"},
        {},
        {"genre": ("a",), "year": 1},
    ]
    # Shares: genre a 1/2, genre b 1, by x 1/2; a value counts once for each item that has it.
    whole, last = [1.5 / 3**0.5, 0.0, 0.0, 0.5], [1.0 / 3**0.5, 0.0, 0.0, 0.0]
    for past, expected in ((history, whole), (recent, last)):
        assert profile_scores(texts_of(past), texts_of(offered)) == pytest.approx(expected)
        kept = [[Item("i", "I", facts).texts for facts in part] for part in (past, offered)]
        assert profile_scores(*kept) == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 2, 10, 20, 50])
def test_constant_columns_become_0_whatever_their_mean_rounds_to(count: int) -> None:
    for value in (*np.arange(1, 1000) / 100, -0.1, 1e-300, 1e300):
        for standard in (standardised, offline_standardised):
            assert not standard(np.full(count, value)).any()
    said = {kind: one_kind("chosen_by", [kind] * 20) for kind in (1.0, 2.0, 5.0, 7.0, 11.0)}
    told = [named(films(3), films(20, 5), rows) for rows in said.values()]
    assert {one["chosen_by_top_z"] for one in told} == {0}
    assert len({one["together_top_z"] for one in told}) == 1


def test_other_columns_are_standardised_to_the_bit_as_before() -> None:
    rng = np.random.default_rng(0)
    for count in range(2, 60):
        for column in (rng.normal(size=count), 1e6 + rng.normal(size=count) / 1e3):
            centred = column - column.mean()
            wanted = centred / math.sqrt((centred * centred).sum() / count)
            assert np.array_equal(standardised(column), wanted)
            assert np.array_equal(offline_standardised(column), wanted)
    adjacent = np.array([1.0, np.nextafter(1.0, 2.0)])
    assert standardised(adjacent).any()
    assert not offline_standardised(adjacent).any()
    assert not len(standardised(np.zeros(0)))
