"""Which hints bring the same: against plain sums, and planted pairs."""

import itertools

import numpy as np
import pytest
from re2llm.ranking.hints.likeness import SAME_GAINS, compare_pair, is_dominated, pairs


def unit(seed: int, near: np.ndarray | None = None, cosine: float = 0.0) -> np.ndarray:
    """A random direction, or one at an angle to another."""
    drawn = np.random.default_rng(seed).standard_normal(384)
    if near is not None:
        drawn -= (drawn @ near) * near
        drawn = cosine * near + (1 - cosine**2) ** 0.5 * drawn / np.linalg.norm(drawn)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def gappy(seed: int, hints: int = 6, sessions: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gains = rng.normal(0.03, 0.2, (hints, sessions)) * (rng.random((hints, sessions)) < 0.6)
    gains[rng.random((hints, sessions)) < 0.3] = np.nan
    return gains


@pytest.mark.parametrize("seed", range(3))
def test_the_sums_are_those_of_each_pair_alone(seed: int) -> None:
    gains = gappy(seed)
    found = pairs(gains, [unit(n) for n in range(len(gains))])
    for i, j in itertools.permutations(range(len(gains)), 2):
        both = ~np.isnan(gains[i]) & ~np.isnan(gains[j])
        a, b = gains[i][both], gains[j][both]
        assert found.sessions[i, j] == len(a)
        assert found.telling[i, j] == ((a != 0) | (b != 0)).sum()
        plain = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert found.likeness[i, j] < plain
        error = (a - b).std() / len(a) ** 0.5
        assert found.apart[i, j] == pytest.approx((b - a).mean() / error)


def test_a_few_sessions_show_little_likeness() -> None:
    gains = np.array([0.3, 0.0, -0.2, 0.4, 0.1] * 40)
    noisy = gains + np.tile([0.05, -0.06, 0.02, 0.1, -0.04], 40)
    texts = [unit(1), unit(2)]
    shown = [pairs(np.stack([gains, noisy])[:, :n], texts).likeness[0, 1] for n in (5, 30, 200)]
    assert shown[0] == 0
    assert shown[0] < shown[1] < shown[2]


@pytest.mark.parametrize(
    ("cosine", "noise", "same"),
    [(0.5, 0.02, True), (0.0, 0.0, True), (0.5, 0.5, False), (0.95, 0.5, False), (0.0, 0.1, False)],
)
def test_both_texts_and_gains_count(cosine: float, noise: float, same: bool) -> None:
    rng = np.random.default_rng(4)
    gains = rng.normal(0.05, 0.2, 200)
    other = gains + rng.normal(0, noise, 200)
    texts = [unit(1), unit(2, unit(1), cosine)]
    assert bool(pairs(np.stack([gains, other]), texts).same[0, 1]) == same


def test_a_stronger_one_is_not_the_same() -> None:
    gains = np.random.default_rng(5).normal(0.1, 0.2, 200)
    found = pairs(np.stack([gains, 0.5 * gains]), [unit(1), unit(1)])
    assert found.likeness[0, 1] > SAME_GAINS
    assert not found.same[0, 1]


def test_doing_nothing_is_no_likeness() -> None:
    found = pairs(np.zeros((2, 100)), [unit(1), unit(1)])
    assert not found.same.any()


def test_domination_needs_many_sessions_and_almost_no_exception() -> None:
    better = np.full(200, 0.2)
    worse = np.where(np.arange(200) % 3 == 0, 0.1, 0.2)
    assert is_dominated(compare_pair(worse, better), fewest=96)
    assert not is_dominated(compare_pair(better, worse), fewest=96)
    assert not is_dominated(compare_pair(worse[:90], better[:90]), fewest=96)
    worse[:20] = 0.4
    assert not is_dominated(compare_pair(worse, better), fewest=96)
    assert not is_dominated(compare_pair(better, better), fewest=96)
