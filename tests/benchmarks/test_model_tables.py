"""How `benchmarks.real_llm` scores answers, on sessions whose best order is known."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from re2llm.benchmarks.model_arms import Answer, Answered, Arm
from re2llm.benchmarks.model_tables import document

SESSIONS, CANDIDATES, ASKED = 60, 30, 20
Speak = Callable[[int], list[int]]


def answered(place: int, speak: Speak) -> Answered:
    """One session: the first stage knows nothing, and the prompt is in a random order."""
    rng = random.Random(place)
    target = rng.randrange(ASKED)
    state: dict[str, Any] = {
        "candidate_items": [{"id": f"item {row}"} for row in range(CANDIDATES)],
        "first_stage": [rng.random() + 2 * (row < ASKED) for row in range(CANDIDATES)],
        "asked": ASKED,
        "target": f"item {target}",
    }
    tokens = {"in": 100, "cached": 40, "out": 20}
    answer = Answer(speak(target + 1), {}, [], tokens, float(place), 1)
    return Answered(cast("Any", state), answer)


@pytest.fixture
def measured() -> Callable[[Speak], dict[str, Any]]:
    def measure(speak: Speak) -> dict[str, Any]:
        options: Any = None
        arms = [
            Arm(name="shuffled", options=options, plain="shuffled", calibrated=True),
            Arm(name="full", options=options, plain="shuffled", full=True),
        ]
        results = [answered(place, speak) for place in range(SESSIONS)]
        found = document(arms, {arm.name: results for arm in arms}, seed=0)
        return {**found, "rows": {row["name"]: row for row in found["ranking"]}}

    return measure


@pytest.mark.long
def test_a_model_that_copies_the_prompt_adds_nothing(measured: Any) -> None:
    found = measured(lambda _: list(range(1, 11)))
    first = found["rows"]["first-stage"]["ndcg@10"]
    for name in ("shuffled, calibrated", "shuffled, fused"):
        assert found["rows"][name]["ndcg@10"] == first
        assert found["rows"][name]["over"]["first-stage"] == {"mean": 0.0, "ci95": [0.0, 0.0]}
    assert found["rows"]["shuffled"]["ndcg@10"] != first
    assert found["adds"]["shuffled"]["weight"] == 0


@pytest.mark.long
def test_a_model_that_knows_is_followed(measured: Any) -> None:
    found = measured(lambda number: [number, *(n for n in range(1, 11) if n != number)])
    rows = found["rows"]
    assert rows["shuffled"]["ndcg@10"] == rows["full"]["ndcg@10"] == 1
    assert rows["full"]["over"]["shuffled"]["mean"] == 0
    assert rows["shuffled, fused"]["ndcg@10"] > 0.9
    added = found["adds"]["shuffled"]
    gain = rows["shuffled, fused"]["over"]["first-stage"]
    assert added["weight"] > 0
    assert [added["gain"], added["low"], added["high"]] == pytest.approx(
        [gain["mean"], *gain["ci95"]], abs=1e-4
    )


@pytest.mark.long
def test_a_model_without_answers_is_the_first_stage(measured: Any) -> None:
    found = measured(lambda _: [])
    assert len({row["ndcg@10"] for row in found["ranking"]}) == 1


@pytest.mark.long
def test_what_an_answer_takes(measured: Any) -> None:
    costs = measured(lambda _: [1])["answers"][0]
    assert costs["tokens"] == {"in": 100, "cached": 40, "out": 20}
    assert costs["valid"] == costs["measured"] == SESSIONS
    assert (costs["p50_ms"], costs["p95_ms"]) == (29.5, 56.0)


@pytest.mark.long
def test_scores_of_letters_are_calibrated() -> None:
    """A model that says where an item stands adds nothing; one that also knows it does."""

    def scored(place: int, signal: float) -> Answered:
        one = answered(place, lambda _: [])
        scores = [-0.5 * row + signal * (row == one.target) for row in range(ASKED)]
        numbers = sorted(range(1, ASKED + 1), key=lambda number: -scores[number - 1])
        return replace(one, answer=replace(one.answer, numbers=numbers, scores=scores))

    options: Any = None
    arm = Arm(name="letters", options=options, plain="letters", calibrated=True)
    full = replace(arm, name="full")
    for signal in (0.0, 3.0):
        results = [scored(place, signal) for place in range(SESSIONS)]
        found = document([arm, full], {"letters": results, "full": results}, seed=0)
        rows = {row["name"]: row["ndcg@10"] for row in found["ranking"]}
        if signal:
            assert rows["letters, calibrated"] == 1 > rows["letters"]
            assert found["adds"]["letters"]["weight"] > 0
        else:
            assert rows["letters, calibrated"] == rows["letters, fused"] == rows["first-stage"]
            assert found["adds"]["letters"]["weight"] == 0
