"""Confidence sequence and sample-ratio test hold at all times; what they replace does not."""

import math
from collections import Counter

import numpy as np
import pytest
from re2llm.policies.rollout.assignment import place_of, probability_of, pseudonym
from re2llm.policies.rollout.confidence import Moments, difference, mean
from re2llm.policies.rollout.sample_ratio import mismatch

RUNS = 400
LOOKS = np.unique(np.geomspace(60, 20_000, 60).astype(int))


def moments(values: np.ndarray) -> Moments:
    """Sums of people with one observation each."""
    n, total = len(values), float(values.sum())
    return Moments(n, n, total, n, float((values**2).sum()), total)


def rewards(rng: np.random.Generator, count: int) -> np.ndarray:
    """Skewed rewards with many zeros, as NDCG has."""
    ranks = rng.geometric(0.15, count)
    return np.where((ranks <= 10) & (rng.random(count) < 0.7), 1 / np.log2(ranks + 1), 0.0)


def ever_wrong(bounded: object, truth: float = 0.0) -> float:
    """In what part of runs an interval misses the truth at any look, with a tenth in the canary."""
    wrong = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        values = rewards(rng, LOOKS[-1])
        canary = rng.random(LOOKS[-1]) < 0.1
        for n in LOOKS:
            arms = moments(values[:n][~canary[:n]]), moments(values[:n][canary[:n]])
            low, high = bounded(*arms)  # type: ignore[operator]
            if not low <= truth <= high:
                wrong += 1
                break
    return wrong / RUNS


@pytest.mark.long
def test_the_sequence_covers_at_all_times_and_a_fixed_n_interval_does_not() -> None:
    def always(control: Moments, canary: Moments) -> tuple[float, float]:
        found = difference([(control, canary)], scale=0.02, alpha=0.05)
        return found.low, found.high

    def peeking(control: Moments, canary: Moments) -> tuple[float, float]:
        if min(control.people, canary.people) < 30:
            return -math.inf, math.inf
        reach = 1.96 * math.sqrt(control.variance + canary.variance)
        apart = canary.mean - control.mean
        return apart - reach, apart + reach

    assert ever_wrong(always) <= 0.05
    assert ever_wrong(peeking) > 0.15  # so the check above can fail


@pytest.mark.long
def test_a_small_canary_with_skewed_rewards_is_not_called_worse_by_its_own_small_variance() -> None:
    """A canary of 1 % whose few rewards happen to be low seems to vary little as well."""
    looks, wrong, naive = range(6_000, 60_000, 1_000), 0, 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        values = rewards(rng, 60_000) * (rng.random(60_000) < 0.3)
        canary = rng.random(60_000) < 0.01
        arms = [(moments(values[:n][~canary[:n]]), moments(values[:n][canary[:n]])) for n in looks]
        wrong += any(difference([arm], scale=0.05, alpha=0.04).high < 0 for arm in arms)
        naive += any(
            b.mean + 2.6 * b.variance**0.5 < a.mean for a, b in arms
        )  # what the own variance alone would say, at the same level
    assert wrong / 150 <= 0.03
    assert naive > wrong


@pytest.mark.parametrize("share", [0.1, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("rate", [0.01, 0.03])
def test_a_small_arm_with_rare_rewards_is_called_neither_better_nor_worse(
    rate: float, share: float
) -> None:
    """Whichever arm is small, and seems to vary little while few of its people picked something."""
    looks, runs, better, worse = 60, 100, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        canary = rng.binomial(400, share, looks)
        counts = np.cumsum(np.stack([400 - canary, canary]), axis=1)
        picks = np.cumsum(rng.binomial(np.stack([400 - canary, canary]), rate), axis=1)
        for n, k in zip(counts.T.tolist(), picks.T.tolist(), strict=True):
            arms = [Moments(n[a], n[a], k[a], n[a], k[a], k[a]) for a in (0, 1)]
            found = difference([(arms[0], arms[1])], scale=0.02, alpha=0.04)
            if found.low > 0 or found.high < 0:
                better += found.low > 0
                worse += found.high < 0
                break
    assert max(better, worse) <= 0.02 * runs


def test_the_sequence_finds_a_difference_and_is_tight_where_it_should_be() -> None:
    rng = np.random.default_rng(0)
    control, canary = rewards(rng, 40_000), rewards(rng, 4_000) + 0.03
    found = difference([(moments(control), moments(canary))], scale=0.02, alpha=0.05)
    assert 0 < found.low < 0.03 < found.high < 0.06
    # A fixed-n interval has 1.96 standard errors; looking at all times costs less than twice that.
    error = math.sqrt(moments(control).variance + moments(canary).variance)
    assert 1.96 < (found.high - found.value) / error < 2 * 1.96


def test_steps_are_compared_within_not_across() -> None:
    """Rewards rise between two steps, and so does the share: pooled, the canary would win."""
    rng = np.random.default_rng(1)
    before = moments(rewards(rng, 30_000)), moments(rewards(rng, 1_500))
    after = moments(rewards(rng, 15_000) + 0.2), moments(rewards(rng, 15_000) + 0.2)
    within = difference([before, after], scale=0.02, alpha=0.05)
    across = difference([(before[0] + after[0], before[1] + after[1])], scale=0.02, alpha=0.05)
    assert within.low < 0 < within.high
    assert across.low > 0.03


def test_the_variance_is_that_of_people_not_of_requests() -> None:
    """Against an independent bootstrap over people."""
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 12, 800)
    level = rng.normal(0.5, 0.25, 800)
    totals = np.array([rng.normal(own, 0.1, n).sum() for own, n in zip(level, counts, strict=True)])
    found = Moments(
        800,
        float(counts.sum()),
        float(totals.sum()),
        float((counts**2).sum()),
        float((totals**2).sum()),
        float((counts * totals).sum()),
    )
    drawn = rng.integers(0, 800, (4_000, 800))
    means = totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    assert math.sqrt(found.variance) == pytest.approx(means.std(), rel=0.05)


def test_no_variance_is_ever_zero() -> None:
    found = mean(moments(np.zeros(50)), scale=0.05, alpha=0.05)
    assert found.high > 0
    assert difference([(Moments(), Moments())], scale=0.02, alpha=0.05).low == -math.inf


@pytest.mark.parametrize("share", [0.01, 0.25])
def test_the_sample_ratio_alarms_rarely_and_sees_loss(share: float) -> None:
    alarms, found = 0, 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        canary = np.cumsum(rng.random(20_000) < share)
        lossy = np.cumsum(rng.random(20_000) < share * 0.6)  # 40 % of the canary's people are lost
        looks = range(99, 20_000, 400)
        bound = math.log(1 / 0.01)
        alarms += any(mismatch(n + 1 - canary[n], canary[n], share) > bound for n in looks)
        found += any(mismatch(n + 1 - lossy[n], lossy[n], share) > bound for n in looks)
    assert alarms / RUNS <= 0.01
    assert found / RUNS > 0.9


def test_places_are_sticky_monotone_and_even() -> None:
    people = [f"user:{n}" for n in range(20_000)]
    salt, other = b"a" * 16, b"b" * 16
    places = np.array([place_of(salt, person) for person in people])
    assert [place_of(salt, person) for person in people] == places.tolist()
    assert ((places >= 0) & (places < 1)).all()
    counts = np.histogram(places, bins=20, range=(0, 1))[0]
    chi_square = ((counts - 1_000) ** 2 / 1_000).sum()
    assert chi_square < 45  # 19 degrees of freedom, beyond 0.1 %
    for small, large in ((0.01, 0.05), (0.05, 0.25), (0.25, 1.0)):
        assert set(np.flatnonzero(places < small)) <= set(np.flatnonzero(places < large))
    again = np.array([place_of(other, person) for person in people])
    assert abs(np.corrcoef(places, again)[0, 1]) < 0.03
    assert len({pseudonym(salt, person) for person in people}) == len(people)
    assert pseudonym(salt, people[0]) != pseudonym(other, people[0])


def test_the_probability_of_a_hint_is_that_of_the_mixture() -> None:
    """Against the frequency of each hint over many draws of release and hint."""
    rng = np.random.default_rng(3)
    share, canary, control = 0.2, [0.7, 0.3, 0.0], [0.1, 0.2, 0.7]
    drawn: Counter[int] = Counter()
    for _ in range(40_000):
        weights = canary if rng.random() < share else control
        drawn[int(rng.choice(3, p=weights))] += 1
    for hint in range(3):
        expected = probability_of(canary[hint], control[hint], share)
        assert drawn[hint] / 40_000 == pytest.approx(expected, abs=0.01)
        assert probability_of(control[hint], canary[hint], 1 - share) == pytest.approx(expected)


def test_the_variance_of_a_mean_by_hand() -> None:
    """With one request each, it is that of independent people; a repeated one adds nothing."""
    values = np.array([0.0, 0.2, 0.4, 1.0])
    once = moments(values)
    prior = 0.25
    assert once.variance == pytest.approx((values.var(ddof=1) * 4 + prior) / 4**2)
    twice = Moments(4, 8, 2 * once.total, 16, 4 * once.squares, 4 * once.cross)
    assert twice.mean == once.mean
    assert twice.variance == pytest.approx((values.var(ddof=1) * 4 * 4 + prior) / 8**2)
