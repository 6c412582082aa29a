"""Whether hints gain: sound with many hints, many looks and rare large gains."""

import numpy as np
import pytest
from re2llm.ranking.hints.proof import (
    FALSE_SHARE,
    FIRST_LOOK,
    is_hopeless,
    predictive_power,
    proof_level,
    summary_of,
)
from re2llm.ranking.hints.verification import verification
from scipy import stats

PLANNED = 312
LOOKS = (24, 48, 96, 192, PLANNED)


def followed(gains: np.ndarray, level: float) -> tuple[bool, int]:
    """Look at gains as they come; return whether they end as a proof, and after how many."""
    for look in LOOKS:
        if is_hopeless(gains[:look], PLANNED, level):
            return False, look
    return summary_of(gains).p <= level, PLANNED


@pytest.mark.parametrize("seed", range(5))
def test_p_values_are_those_of_the_one_sided_t_test(seed: int) -> None:
    gains = np.random.default_rng(seed).normal(0.02 * seed, 0.2, 60)
    expected = stats.ttest_1samp(gains, 0, alternative="greater")
    assert summary_of(gains).p == pytest.approx(expected.pvalue)
    assert verification(gains.tolist()).high == pytest.approx(
        gains.mean() + 1.645 * stats.sem(gains)
    )


def test_no_spread_and_no_trials_prove_nothing() -> None:
    assert summary_of(np.zeros(100)).p == 1
    assert summary_of(np.array([0.5])).p == 1
    assert summary_of(np.array([])).p == 1
    assert summary_of(np.full(10, 0.1)).p == 0.5**10


@pytest.mark.parametrize("seed", range(5))
def test_the_level_is_that_of_benjamini_and_hochberg(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ps = np.concatenate([rng.uniform(0, 1, 200), rng.uniform(0, 1e-4, 15)])
    adjusted = stats.false_discovery_control(ps, method="bh")
    level = proof_level(ps.tolist(), len(ps))
    assert ((ps <= level) == (adjusted <= FALSE_SHARE)).all()


def test_hints_that_were_given_up_still_count_as_tested() -> None:
    ps = [1e-4, 2e-4, 0.004]
    assert proof_level(ps, 3) == pytest.approx(FALSE_SHARE)
    assert proof_level(ps, 1000) == pytest.approx(FALSE_SHARE / 1000)
    assert proof_level([], 0) > 0


def test_among_many_that_bring_nothing_hardly_any_is_proven() -> None:
    """Correlated by the sessions that they share, as real ones are."""
    rng = np.random.default_rng(0)
    proven = 0
    for _ in range(20):
        shared = rng.normal(0, 0.15, PLANNED)
        gains = [shared - shared.mean() + rng.normal(0, 0.15, PLANNED) for _ in range(100)]
        level = proof_level([summary_of(one).p for one in gains], 100)
        proven += sum(followed(one, level)[0] for one in gains)
    assert proven <= 4  # of 2,000; at 5 % each it would be 100


def test_good_hints_survive_all_looks_and_others_are_given_up_early() -> None:
    rng = np.random.default_rng(1)
    level = FALSE_SHARE * 20 / 520
    good = [followed(rng.normal(0.08, 0.25, PLANNED), level) for _ in range(400)]
    none = [followed(rng.normal(0.0, 0.25, PLANNED), level) for _ in range(400)]
    harm = [followed(rng.normal(-0.1, 0.25, PLANNED), level) for _ in range(400)]
    assert np.mean([proven for proven, _ in good]) > 0.97
    assert sum(proven for proven, _ in none) <= 4
    assert not any(proven for proven, _ in harm)
    assert np.mean([sessions for _, sessions in none]) < PLANNED / 2
    assert np.mean([sessions for _, sessions in harm]) < 1.5 * FIRST_LOOK


def test_a_rare_large_gain_is_waited_for() -> None:
    """It helps much in one session of ten, and costs a little in the others."""
    rng = np.random.default_rng(2)
    level = FALSE_SHARE * 20 / 520
    ends = [
        followed(np.where(rng.random(PLANNED) < 0.1, 0.6, rng.normal(-0.01, 0.01, PLANNED)), level)
        for _ in range(300)
    ]
    assert np.mean([proven for proven, _ in ends]) > 0.95


def test_the_chance_of_a_proof_is_as_often_right_as_it_says() -> None:
    """Of futures that a normal posterior without prior knowledge draws."""
    rng = np.random.default_rng(3)
    seen, level = rng.normal(0.03, 0.2, 96), 0.01
    found = summary_of(seen)
    hits = 0
    for _ in range(4000):
        mean = rng.normal(found.mean, found.error)
        future = rng.normal(mean, found.deviation, PLANNED - len(seen))
        total = np.concatenate([seen, future])
        hits += total.mean() / (found.deviation / PLANNED**0.5) >= stats.norm.isf(level)
    assert predictive_power(seen, PLANNED, level) == pytest.approx(hits / 4000, abs=0.03)


@pytest.mark.parametrize("count", range(1, 5))
@pytest.mark.parametrize("gain", [0.4, 0.0, -0.4])
def test_a_few_equal_gains_prove_nothing(count: int, gain: float) -> None:
    found = verification([gain] * count)
    assert found.low < 0 < found.high
    assert verification([gain] * 5).low == gain == pytest.approx(verification([gain] * 5).high)
    assert summary_of(np.array([gain] * max(count, 2))).p == (
        0.5 ** max(count, 2) if gain > 0 else 1
    )
