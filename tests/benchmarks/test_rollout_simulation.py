"""Rollouts on simulated viewers end as they should, and a faulty rule is found out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from re2llm.benchmarks.rollout_simulation.rewards import reward_model
from re2llm.benchmarks.rollout_simulation.runs import World, play
from re2llm.benchmarks.rollout_simulation.summary import summarised
from re2llm.benchmarks.rollout_simulation.tally import Tally
from re2llm.errors import InputError
from re2llm.policies.rollout.confidence import Moments
from re2llm.policies.rollout.decision import Action, Verdict, decide
from re2llm.policies.rollout.evidence import Evidence
from re2llm.policies.rollout.plan import Plan

RANKS = np.random.default_rng(0).geometric(0.12, 3_000)
REWARDS = np.where(RANKS <= 10, 1 / np.log2(RANKS + 1), 0.0).tolist()
QUICK = Plan(steps=(10, 50, 100), hold=300, most=12_000, effect=0.08)
"""A larger effect on more people: the same rules in a tenth of the requests."""


def world(delta: float, **options: float) -> World:
    rewards = reward_model(REWARDS, delta=delta)
    return World(rewards=rewards, viewers=8_000, requests=120_000, look=200, **options)


def peeking(plan: Plan, evidence: Evidence) -> Verdict:
    """The planted fault: a fixed-n test, looked at again and again."""
    found = decide(plan, evidence)
    strata = [step.reward for step in evidence.steps if min(a.people for a in step.reward) >= 30]
    if not strata or found.action in {Action.HOLD, Action.STEP}:
        return found
    weights = [1 / (control.variance + canary.variance) for control, canary in strata]
    apart = sum(w * (b.mean - a.mean) for w, (a, b) in zip(weights, strata, strict=True))
    z = apart / sum(weights) ** 0.5
    if abs(z) > 1.96:
        return replace(found, action=Action.PROMOTE if z > 0 else Action.TAKE_BACK)
    return replace(found, action=Action.WAIT)


def test_the_true_difference_is_set_exactly_for_everybody_at_all_times() -> None:
    for delta in (-0.02, 0.0, 0.05):
        means = reward_model(REWARDS, delta=delta).means
        assert means[:, :, 1] - means[:, :, 0] == pytest.approx(delta, abs=1e-9)
        assert means[:, :, 0].std(axis=1).mean() > 0.02  # viewers differ
        assert means[:, :, 0].mean(axis=1).std() > 0.01  # and so do times
    with pytest.raises(InputError, match="out of range"):
        reward_model(REWARDS, delta=-0.9)


def test_draws_have_the_means_that_were_set() -> None:
    model = reward_model(REWARDS, delta=0.05)
    rng = np.random.default_rng(0)
    kinds = np.full(40_000, 3)
    for canary in (0, 1):
        drawn = model.draw(0.5, kinds, np.full(40_000, bool(canary)), rng)
        assert drawn.mean() == pytest.approx(model.means[12, 3, canary], abs=0.005)


def test_the_tally_is_what_a_plain_sum_over_people_gives() -> None:
    rng = np.random.default_rng(0)
    canary = rng.random(50) < 0.3
    tally, people, values = Tally(canary), [], []
    for _ in range(20):
        people.append(rng.integers(0, 50, 30))
        values.append(rng.random(30))
        tally.add(people[-1], values[-1])
    who, what = np.concatenate(people), np.concatenate(values)
    for arm, found in enumerate(tally.stratum):
        n = np.array([(who == p).sum() for p in range(50) if canary[p] == arm])
        y = np.array([what[who == p].sum() for p in range(50) if canary[p] == arm])
        sums = (int((n > 0).sum()), n.sum(), y.sum(), (n**2).sum(), (y**2).sum(), (n * y).sum())
        expected = Moments(*sums)
        for name in Moments.__slots__:
            assert getattr(found, name) == pytest.approx(getattr(expected, name))


@pytest.mark.long
def test_rollouts_end_right() -> None:
    ends = {
        delta: summarised([play(QUICK, world(delta), seed=seed) for seed in range(12)])
        for delta in (-0.08, 0.0, 0.08)
    }
    assert ends[-0.08]["taken_back"] == 1
    assert ends[0.0]["held"] >= 11 / 12
    assert ends[0.08]["promoted"] == 1
    assert ends[0.0]["exposures"][1] >= QUICK.most


@pytest.mark.slow
def test_an_equal_release_is_rarely_decided_on_and_peeking_would_be_found_out() -> None:
    runs = range(120)
    play_equal = partial(play, QUICK, world(0.0))
    fair = summarised([play_equal(seed=seed) for seed in runs])
    assert fair["promoted"] + fair["taken_back"] <= 0.05
    faulty = summarised([play_equal(seed=seed, decided_by=peeking) for seed in runs])
    assert faulty["promoted"] + faulty["taken_back"] > 0.2
