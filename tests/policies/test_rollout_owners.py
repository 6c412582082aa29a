"""An owner of API keys who lies about rewards decides no rollout alone, whatever it sends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from re2llm.benchmarks.rollout_simulation.rewards import reward_model
from re2llm.benchmarks.rollout_simulation.runs import World, play
from re2llm.benchmarks.rollout_simulation.summary import summarised
from re2llm.policies.rollout.confidence import Moments
from re2llm.policies.rollout.decision import Action, Verdict, decide
from re2llm.policies.rollout.evidence import Evidence, StepEvidence
from re2llm.policies.rollout.owners import Owned, decide_without_one
from re2llm.policies.rollout.plan import Plan

RANKS = np.random.default_rng(0).geometric(0.12, 3_000)
REWARDS = np.where(RANKS <= 10, 1 / np.log2(RANKS + 1), 0.0).tolist()
PLAN = Plan(steps=(10, 50, 100), hold=300, most=12_000, effect=0.08)
SEEDS = range(8)

Decide = Callable[[Plan, Evidence], Verdict]


def lie(seen: Evidence, size: float, *, canary: float) -> Evidence:
    """What someone has seen who sends `size` as many requests, and answers as it suits them."""
    steps: list[StepEvidence] = []
    for step in seen.steps:
        counts = [round(size * n) for n in step.exposures]
        rewards = (1 - canary, canary)
        lied = [
            Moments(n, n, n * mean, n, n * mean**2, n * mean)
            for n, mean in zip(counts, rewards, strict=True)
        ]
        pair = (counts[0], counts[1])
        steps.append(
            StepEvidence(people=pair, exposures=pair, differ=sum(pair), reward=(lied[0], lied[1]))
        )
    return Evidence(steps)


def guarded(size: float, *, canary: float) -> Decide:
    def decided(plan: Plan, seen: Evidence) -> Verdict:
        return decide_without_one(plan, Owned(seen, {"evil": lie(seen, size, canary=canary)}))[0]

    return decided


def open_to_all(size: float, *, canary: float) -> Decide:
    """The planted fault: everybody's word counts in full."""

    def decided(plan: Plan, seen: Evidence) -> Verdict:
        return decide(plan, seen + lie(seen, size, canary=canary))

    return decided


def ends(delta: float, decided_by: Decide) -> dict[str, float]:
    world = World(
        rewards=reward_model(REWARDS, delta=delta), viewers=8_000, requests=60_000, look=500
    )
    return summarised([play(PLAN, world, seed=seed, decided_by=decided_by) for seed in SEEDS])


@pytest.mark.long
@pytest.mark.parametrize("size", [0.2, 2.0])
def test_a_liar_has_no_worse_release_promoted(size: float) -> None:
    assert ends(-0.08, open_to_all(size, canary=1.0))["promoted"] == 1
    assert ends(-0.08, guarded(size, canary=1.0))["promoted"] == 0


@pytest.mark.long
@pytest.mark.parametrize("size", [0.2, 2.0])
def test_a_liar_has_no_better_release_taken_back(size: float) -> None:
    assert ends(0.08, open_to_all(size, canary=0.0))["taken_back"] == 1
    assert ends(0.08, guarded(size, canary=0.0))["taken_back"] == 0


@pytest.mark.long
def test_an_owner_who_says_the_same_as_all_keeps_nothing_back() -> None:
    def two_owners(plan: Plan, seen: Evidence) -> Verdict:
        return decide_without_one(plan, Owned(Evidence(()), {"one": seen, "other": seen}))[0]

    assert ends(0.08, two_owners)["promoted"] == 1
    assert ends(-0.08, two_owners)["taken_back"] == 1


def counted(n: int) -> Evidence:
    return Evidence([StepEvidence(people=(n, 0), exposures=(n, n))])


def test_each_owner_is_left_out_once() -> None:
    seen = Owned(counted(1), {"a": counted(10), "b": counted(100), "c": counted(1_000)})
    assert seen.whole.exposures == 1_111
    left = {name: evidence.exposures for name, evidence in seen.without_each()}
    assert left == {"a": 1_101, "b": 1_011, "c": 111}


def test_an_alarm_that_one_owner_raises_holds_nothing() -> None:
    fair = Evidence([StepEvidence(people=(9_000, 1_000), exposures=(9_000, 100))])
    evil = Evidence([StepEvidence(people=(0, 2_000), exposures=(0, 2_000))])
    assert decide(PLAN, fair + evil).action is Action.HOLD
    verdict, owner = decide_without_one(PLAN, Owned(fair, {"evil": evil}))
    assert (verdict.action, verdict.reason, owner) == (Action.WAIT, "one_owner", "evil")


def test_a_rollout_that_waits_for_others_says_what_they_lack_and_what_to_do() -> None:
    reward = (Moments(90, 90, 9, 90, 9, 9), Moments(90, 90, 81, 90, 81, 81))
    step = StepEvidence(people=(90, 90), exposures=(90, 90), differ=180, reward=reward)
    other = Evidence([StepEvidence(people=(1, 0), exposures=(40, 0))])
    seen = Owned(Evidence(()), {"shop": Evidence([step]), "partner": other})
    verdict, owner = decide_without_one(Plan(steps=(50, 100), hold=50), seen)
    assert (verdict.reason, owner) == ("one_owner", "shop")
    assert "Without them: 0 of 50 exposures at this step." in verdict.words
    assert "1 of 30 people without the release" in verdict.words
    assert "give one of their keys the right to learn" in verdict.words
    assert "shop" not in verdict.words
