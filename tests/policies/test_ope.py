"""Off-policy estimates on a synthetic bandit whose true values are known by arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from re2llm.policies.ope import Estimate, doubly_robust, ips, mean_weight, snips

# Two kinds of session, three actions: true mean reward, old policy, new policy.
MEANS = np.array([[0.1, 0.5, 0.3], [0.6, 0.2, 0.0]])
OLD = np.array([[0.5, 0.2, 0.3], [0.1, 0.3, 0.6]])
NEW = np.array([[0.1, 0.8, 0.1], [0.7, 0.3, 0.0]])
SHARE = np.array([0.4, 0.6])
TRUTH = float((SHARE[:, None] * NEW * MEANS).sum())


class Log:
    def __init__(self, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.kinds = rng.choice(2, size=count, p=SHARE)
        draws = rng.random(count)[:, None]
        self.actions = (draws > OLD[self.kinds].cumsum(1)).sum(1)
        means = MEANS[self.kinds, self.actions]
        self.rewards = (rng.random(count) < means).astype(float)
        self.logged = OLD[self.kinds, self.actions]
        self.target = NEW[self.kinds, self.actions]

    def dr(self, model: np.ndarray) -> Estimate:
        return doubly_robust(
            self.rewards,
            self.logged,
            self.target,
            model[self.kinds, self.actions],
            (NEW * model).sum(1)[self.kinds],
        )


WRONG = 1 - 2 * MEANS
ESTIMATORS = {
    "ips": lambda log: ips(log.rewards, log.logged, log.target),
    "snips": lambda log: snips(log.rewards, log.logged, log.target),
    "dr": lambda log: log.dr(MEANS),
    "dr, wrong model": lambda log: log.dr(WRONG),
}


def test_the_truth_worked_out_by_hand() -> None:
    by_hand = 0.4 * (0.01 + 0.4 + 0.03) + 0.6 * (0.42 + 0.06)
    assert pytest.approx(by_hand) == TRUTH


@pytest.mark.parametrize("name", ESTIMATORS)
def test_unbiased_and_honest_about_its_error(name: str) -> None:
    runs = [ESTIMATORS[name](Log(400, seed)) for seed in range(600)]
    values = np.array([run.value for run in runs])
    error_of_mean = values.std() / len(runs) ** 0.5
    assert abs(values.mean() - TRUTH) < 3.5 * error_of_mean + (0.002 if name == "snips" else 0)
    coverage = np.mean([run.low <= TRUTH <= run.high for run in runs])
    assert 0.92 <= coverage <= 0.98


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimates_of_a_large_log_are_near_the_truth(name: str) -> None:
    assert ESTIMATORS[name](Log(200_000, 1)).value == pytest.approx(TRUTH, abs=0.012)


@pytest.mark.parametrize("estimator", [ips, snips])
def test_sessions_that_come_again_are_worth_one(estimator: Callable[..., Estimate]) -> None:
    """Each session was given the same whenever it came, and few make up most of the traffic."""
    share = 1 / np.arange(1, 201)
    share /= share.sum()
    naive: list[bool] = []
    grouped: list[bool] = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        means = rng.random((200, 2))
        truth = float(share @ means @ (0.8, 0.2))
        sessions = rng.choice(200, size=300, p=share)
        actions = rng.integers(0, 2, size=200)[sessions]
        rewards = (rng.random(300) < means[sessions, actions]).astype(float)
        log = rewards, np.full(300, 0.5), np.where(actions == 0, 0.8, 0.2)
        for found, covered in (
            (estimator(*log), naive),
            (estimator(*log, groups=sessions), grouped),
        ):
            covered.append(found.low <= truth <= found.high)
    assert np.mean(naive) < 0.8
    assert 0.89 <= np.mean(grouped) <= 0.99


def test_groups_count_by_hand() -> None:
    rewards = np.array([1.0, 1.0, 0.0, 0.5])
    half, groups = np.full(4, 0.5), np.array([0, 0, 1, 1])
    found = ips(rewards, half, half, groups=groups)
    # The sums 0.75 and -0.75 around the mean 0.625, in two groups: t of 97.5 % is 12.706.
    error = (2 * 0.75**2 * 2) ** 0.5 / 4
    assert found.high - found.value == pytest.approx(12.7062 * error, rel=1e-4)
    assert found.effective_n == pytest.approx(2)
    alone = ips(rewards, half, half, groups=np.zeros(4, dtype=int))
    assert (alone.low, alone.high) == (-np.inf, np.inf)
    apart = ips(rewards, half, half, groups=np.arange(4))
    assert apart == ips(rewards, half, half)
    assert apart.effective_n == pytest.approx(4)


def test_a_right_model_narrows_the_interval_and_ips_is_not_the_plain_mean() -> None:
    log = Log(2_000, 0)
    good, plain = log.dr(MEANS), ips(log.rewards, log.logged, log.target)
    assert good.high - good.low < 0.9 * (plain.high - plain.low)
    assert abs(log.rewards.mean() - TRUTH) > 0.1


def test_the_same_policy_is_worth_what_it_earned() -> None:
    log = Log(100, 3)
    for estimate in (
        ips(log.rewards, log.logged, log.logged),
        snips(log.rewards, log.logged, log.logged),
    ):
        assert estimate.value == pytest.approx(log.rewards.mean())
        assert estimate.effective_n == pytest.approx(100)


def test_numbers_by_hand() -> None:
    rewards, logged, target = np.array([1.0, 0.0]), np.array([0.5, 0.25]), np.array([1.0, 0.25])
    assert ips(rewards, logged, target).value == pytest.approx((2 * 1 + 1 * 0) / 2)
    assert snips(rewards, logged, target).value == pytest.approx(2 / 3)
    assert ips(rewards, logged, target).effective_n == pytest.approx(9 / 5)
    robust = doubly_robust(rewards, logged, target, np.array([0.4, 0.1]), np.array([0.3, 0.2]))
    assert robust.value == pytest.approx(((0.3 + 2 * 0.6) + (0.2 - 0.1)) / 2)


def test_snips_is_invariant_to_a_constant_but_for_that_constant() -> None:
    log = Log(300, 5)
    shifted = snips(log.rewards + 10, log.logged, log.target)
    assert shifted.value - 10 == pytest.approx(snips(log.rewards, log.logged, log.target).value)


@pytest.mark.parametrize("reward", [0.0, 0.63, 1.0])
def test_rewards_that_never_vary_leave_the_ends_open(reward: float) -> None:
    """Else a log without a single reward would prove that there can be none."""
    rewards, half = np.full(40, reward), np.full(40, 0.5)
    pairs = np.repeat(np.arange(20), 2)
    for groups in (None, pairs):
        for found in (
            ips(rewards, half, half, groups=groups),
            snips(rewards, half, np.linspace(0, 1, 40), groups=groups),
            doubly_robust(rewards, half, half, np.full(40, 0.1), np.full(40, 0.1), groups=groups),
        ):
            assert found.value == pytest.approx(reward)
            assert (found.low, found.high) == (-np.inf, np.inf)
    # In each pair one has a reward and one has none, so that the pairs never vary.
    found = ips(np.tile([0.0, 1.0], 20), half, half, groups=pairs)
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_equal_weights_are_no_chance() -> None:
    half = np.full(9, 0.5)
    assert mean_weight(half, half)[:3] == (1, 1, 1)
    assert mean_weight(half, np.ones(9))[:3] == (2, 2, 2)
    target = np.linspace(0.1, 1, 9)
    assert mean_weight(half, target) == ips(np.ones(9), half, target)


def test_no_overlap_says_that_nothing_is_known() -> None:
    estimate = snips(np.ones(3), np.ones(3), np.zeros(3))
    assert np.isnan(estimate.value)
    assert (estimate.low, estimate.high) == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("rewards", "logged", "target", "field"),
    [
        ([], [], [], "rewards"),
        ([1.0], [0.0], [0.5], "logged"),
        ([1.0], [1.5], [0.5], "logged"),
        ([1.0], [0.5], [-0.1], "target"),
        ([1.0, 0.0], [0.5], [0.5], "logged"),
        ([float("nan")], [0.5], [0.5], "rewards"),
        ([0.5], [float("nan")], [0.5], "logged"),
        ([0.5], [0.5], [float("nan")], "target"),
    ],
)
def test_bad_logs_are_refused(
    rewards: list[float], logged: list[float], target: list[float], field: str
) -> None:
    with pytest.raises(ValueError, match=field):
        ips(np.array(rewards), np.array(logged), np.array(target))
