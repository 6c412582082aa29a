"""The weight of the model's opinion: learned, cross-validated, and 0 where it adds nothing."""

import numpy as np
import pytest
from re2llm.arrays import Floats
from re2llm.llm.ranking_prompts.letters import LETTERS, read_letters, write_letters
from re2llm.policies.fusion import (
    UNMEASURED,
    WEIGHTS,
    Fusion,
    Opinions,
    fused_order,
    learn_fusion,
    mean_places,
)
from re2llm.ranking.opinion import opinion

ASKED, CANDIDATES = 10, 30


def _sessions(count: int, *, informed: float, place: float = 0.0, seed: int = 3) -> Opinions:
    """Sessions whose target the first stage hints at, and the model at `informed` strength.

    Args:
        place: How much the model favours early places, whatever stands there.
    """
    draw = np.random.default_rng(seed)
    first: list[Floats] = []
    said: list[Floats] = []
    chosen: list[int] = []
    for _ in range(count):
        scores = draw.standard_normal(CANDIDATES)
        target = int(draw.integers(ASKED))
        scores[target] += 1.0
        opinion = draw.standard_normal(ASKED) - place * np.arange(ASKED)
        opinion[target] += informed
        first.append(scores)
        said.append(opinion)
        chosen.append(target)
    return Opinions(first, said, chosen)


def test_an_informed_model_gets_a_weight_and_gains() -> None:
    data = _sessions(400, informed=2.0)
    learned = learn_fusion(data, mean_places(data.opinions))
    assert learned.weight >= 0.5
    assert learned.low > 0
    assert learned.low <= learned.gain <= learned.high
    assert learned.sessions == 400


@pytest.mark.long
def test_a_model_that_guesses_gets_no_weight() -> None:
    data = _sessions(400, informed=0.0)
    learned = learn_fusion(data, mean_places(data.opinions))
    assert learned.weight == 0.0
    assert not learned.counts
    assert learned.gain <= 0


def test_a_weight_that_gains_only_where_it_was_chosen_is_not_kept() -> None:
    """By luck, noise would have a weight on all sessions, but it loses on those held out."""
    rng = np.random.default_rng(11)
    first, said = ([rng.normal(size=12) for _ in range(40)] for _ in range(2))
    learned = learn_fusion(Opinions(*map(list, (first, said)), [*rng.integers(12, size=40)]), ())
    assert learned.gain < 0
    assert learned.weight == 0


def test_the_usual_answer_changes_no_order() -> None:
    usual = np.array([*1 / np.log2(np.arange(2, 7)), *np.zeros(ASKED - 5)])
    rare = usual[::-1]
    first = np.linspace(0.5, 0.0, CANDIDATES)
    places = mean_places([*[usual] * 97, rare])
    stored = Fusion.of(Fusion(0.5, places).as_dict())  # rounded
    for fusion in (Fusion(0.5, mean_places([usual] * 54)), stored):
        assert fused_order(first, usual, fusion) == list(range(1, CANDIDATES + 1))
    assert fused_order(first, rare, stored) != list(range(1, CANDIDATES + 1))


@pytest.mark.long
def test_a_liking_for_early_places_is_taken_out() -> None:
    steady = _sessions(300, informed=1.0)
    biased = _sessions(300, informed=1.0, place=5.0)
    kept = learn_fusion(steady, mean_places(steady.opinions))
    calibrated = learn_fusion(biased, mean_places(biased.opinions))
    assert calibrated.gain == pytest.approx(kept.gain, abs=1e-9)
    assert learn_fusion(biased, ()).gain < kept.gain - 0.05


def test_without_weight_the_first_stage_decides() -> None:
    data = _sessions(20, informed=1.0)
    for first, said in zip(data.first, data.opinions, strict=True):
        head = sorted(range(ASKED), key=lambda row: -first[row])
        tail = sorted(range(ASKED, CANDIDATES), key=lambda row: -first[row])
        expected = [row + 1 for row in (*head, *tail)]
        assert fused_order(first, said, Fusion(0.0)) == expected


def test_what_the_model_was_not_asked_about_comes_last() -> None:
    data = _sessions(20, informed=1.0)
    for first, said in zip(data.first, data.opinions, strict=True):
        for weight in WEIGHTS:
            order = fused_order(first, said, Fusion(weight))
            assert sorted(order) == list(range(1, CANDIDATES + 1))
            assert set(order[:ASKED]) == set(range(1, ASKED + 1))


def test_no_answer_is_no_opinion() -> None:
    first = np.array([0.3, 0.9, 0.1, 0.5])
    places = [1.0, 0.5, 0.0]
    assert fused_order(first, np.zeros(3), Fusion(3.0, places)) == [2, 1, 3, 4]


def test_few_sessions_teach_no_weight() -> None:
    learned = learn_fusion(_sessions(10, informed=2.0), ())
    assert learned.weight == UNMEASURED.weight
    assert learned.sessions == 0


@pytest.mark.long
def test_the_gain_comes_from_sessions_that_did_not_choose_the_weight() -> None:
    """With pure noise, the best of many weights looks good on the sessions that chose it."""
    apparent, honest = [], []
    for seed in range(20):
        data = _sessions(40, informed=0.0, seed=seed)
        learned = learn_fusion(data, ())
        table = [_ndcg(data, weight) for weight in WEIGHTS]
        apparent.append(max(table) - table[0])
        honest.append(learned.gain)
    assert np.mean(apparent) > 0.004
    assert np.mean(honest) < np.mean(apparent) / 2


def _ndcg(data: Opinions, weight: float) -> float:
    rows = zip(data.first, data.opinions, data.chosen, strict=True)
    places = [
        fused_order(first, said, Fusion(weight)).index(chosen + 1) + 1
        for first, said, chosen in rows
    ]
    return float(np.mean([1 / np.log2(place + 1) if place <= 10 else 0.0 for place in places]))


def test_it_survives_the_database() -> None:
    learned = learn_fusion(_sessions(100, informed=2.0), [0.1] * ASKED)
    assert Fusion.of(learned.as_dict()).as_dict() == learned.as_dict()


def _letters(count: int, *, signal: float, place: float, seed: int = 5) -> list[str]:
    """Answers by letters that favour early ones by `place` each, and the target by `signal`."""
    draw = np.random.default_rng(seed)
    texts: list[str] = []
    for row, chosen in enumerate(_sessions(count, informed=0.0).chosen):
        logits = -place * np.arange(ASKED) + (draw.standard_normal(ASKED) if signal else 0.0)
        logits[chosen] += signal
        odds = logits - np.log(np.exp(logits).sum()) - 0.01 * (row % 5)  # some odds go elsewhere
        texts.append(write_letters(dict(zip(LETTERS, odds.tolist(), strict=False)), -30.0))
    return texts


def _said(texts: list[str]) -> Opinions:
    sessions = _sessions(len(texts), informed=0.0)
    said = [opinion(read_letters(text, ASKED), ASKED) for text in texts]
    return Opinions(sessions.first, said, sessions.chosen)


@pytest.mark.long
def test_letters_that_only_follow_the_places_say_nothing() -> None:
    data = _said(_letters(300, signal=0.0, place=1.0))
    places = mean_places(data.opinions)
    learned = learn_fusion(data, places)
    assert learned.weight == 0
    assert learned.gain == 0
    for first, said in zip(data.first[:20], data.opinions[:20], strict=True):
        plain = fused_order(first, np.zeros(ASKED), Fusion(3.0))
        assert fused_order(first, said, Fusion(3.0, places)) == plain
        assert fused_order(first, said, Fusion(3.0)) != plain  # uncalibrated, they would count


@pytest.mark.long
def test_letters_with_a_signal_under_the_places_are_recovered() -> None:
    data = _said(_letters(400, signal=2.0, place=1.0))
    places = mean_places(data.opinions)
    learned = learn_fusion(data, places)
    assert learned.weight > 0.2
    assert learned.low > 0
    # Calibrated, they are worth about as much as from a model that favours no place.
    fair = _said(_letters(400, signal=2.0, place=0.0))
    best = learn_fusion(fair, mean_places(fair.opinions))
    assert learned.gain > 0.8 * best.gain
    assert learned.gain > 1.2 * learn_fusion(data, ()).gain


def test_the_calibration_is_the_mean_of_each_place() -> None:
    """Against numbers that were worked out apart: log-probability minus the place's mean."""
    data = _said(_letters(50, signal=1.0, place=0.7))
    table = np.array(data.opinions)
    places = mean_places(data.opinions)
    assert np.allclose(places, [sum(column) / 50 for column in table.T])
    weight = 0.7
    for first, said in zip(data.first[:10], data.opinions[:10], strict=True):
        scores = (first - first.mean()) / first.std()
        surprise = said - np.array(places)
        surprise = (surprise - surprise.mean()) / surprise.std()
        head = scores[:ASKED] + weight * surprise
        expected = sorted(range(ASKED), key=lambda row: -head[row])
        assert [n - 1 for n in fused_order(first, said, Fusion(weight, places))[:ASKED]] == expected
