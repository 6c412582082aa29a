"""What the autopilot decides, and how often it holds: rarely by mistake, always for a drop."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from re2llm.errors import InputError
from re2llm.policies.autopilot.decision import Action, LastJob, LiveRollout, Observation, decide
from re2llm.policies.autopilot.drift import DRIFT_ALPHA, RewardDrift, moments, reward_drift
from re2llm.policies.autopilot.plan import AutopilotPlan, a_day
from re2llm.policies.rollout.confidence import Bounds, Moments
from re2llm.policies.rollout.plan import Plan

SIZE = 300
REWARDS = np.array([0.0, 0.30, 0.39, 0.5, 0.63, 1.0])
CHANCES = np.array([0.55, 0.10, 0.10, 0.10, 0.05, 0.10])
PLAN = AutopilotPlan(usd_per_day=5.0, batch=50)
NOTHING = RewardDrift(Bounds(), 0, 0, 0)


def worse(drop: float) -> np.ndarray:
    """Chances whose mean reward is lower by so much."""
    moved = drop / (REWARDS @ CHANCES)
    return np.where(REWARDS > 0, CHANCES * (1 - moved), CHANCES[0] + moved * (1 - CHANCES[0]))


def alarms(rewards: np.ndarray, every: int = 100) -> int | None:
    """Return after how many rewards the watch holds, looking often; `None` if it never does."""
    for seen in range(SIZE, len(rewards) + 1, every):
        parts = [
            moments(len(part), float(part.sum()), float((part**2).sum()))
            for part in np.split(rewards[:seen], range(SIZE, seen, SIZE))
        ]
        if reward_drift(parts[0], parts[1:], SIZE).dropped:
            return seen
    return None


@pytest.mark.long
def test_without_drift_it_holds_in_at_most_the_stated_part_of_runs() -> None:
    rng = np.random.default_rng(0)
    runs = [alarms(rng.choice(REWARDS, 4_000, p=CHANCES)) for _ in range(150)]
    false = sum(run is not None for run in runs)
    assert false <= DRIFT_ALPHA * len(runs), false


@pytest.mark.parametrize("after", [SIZE, 2_500])
def test_a_planted_drop_holds_it_also_late_and_not_before(after: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        before = rng.choice(REWARDS, after, p=CHANCES)
        later = rng.choice(REWARDS, 3_000, p=worse(0.14))
        held = alarms(np.concatenate([before, later]))
        assert held is not None
        assert after < held <= after + 2_000


def test_a_rise_and_too_little_feedback_hold_nothing() -> None:
    rng = np.random.default_rng(2)
    few = rng.choice(REWARDS, SIZE - 1, p=CHANCES)
    assert not reward_drift(
        moments(len(few), float(few.sum()), float((few**2).sum())), [], SIZE
    ).dropped
    bad = rng.choice(REWARDS, SIZE, p=worse(0.14))
    good = rng.choice(REWARDS, 3_000, p=CHANCES)
    assert alarms(np.concatenate([bad, good])) is None


def seen(**changes: Any) -> Observation:
    return dataclasses.replace(
        Observation(reward=NOTHING, cost_left=5.0, hints=3, misses=50), **changes
    )


DROPPED = RewardDrift(Bounds(-0.2, -0.3, -0.1, 0.4, 0.2, 500), 0, 500, 500)
RUNNING = LastJob("learn-1", "learn", "running", "")
ROLLING = LiveRollout(2, 5.0, "", "waits")


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({}, Action.LEARN, "misses"),
        ({"misses": 49}, Action.WAIT, "misses"),
        ({"fresh": 1}, Action.TRAIN, "new_hints"),
        ({"fresh": 1, "candidate": 4}, Action.ROLL_OUT, "trained"),
        ({"picks": 1_000}, Action.TRAIN, "new_picks"),
        ({"picks": 1_000, "hints": 0}, Action.LEARN, "misses"),
        ({"hints": 64}, Action.TIDY, "full"),
        ({"hints": 64, "job": LastJob("t", "tidy", "done", "")}, Action.WAIT, "full"),
        ({"cost_left": 0.04, "fresh": 1}, Action.WAIT, "budget"),
        ({"job": RUNNING, "fresh": 1}, Action.WAIT, "job"),
        ({"job": dataclasses.replace(RUNNING, state="paused")}, Action.WAIT, "job"),
        ({"job": dataclasses.replace(RUNNING, state="stopped")}, Action.LEARN, "misses"),
        ({"job": dataclasses.replace(RUNNING, state="failed")}, Action.HOLD, "job_failed"),
        ({"rollout": ROLLING, "fresh": 1}, Action.WAIT, "rollout"),
        (
            {"rollout": dataclasses.replace(ROLLING, held="undecided")},
            Action.STOP_ROLLOUT,
            "undecided",
        ),
        (
            {"rollout": dataclasses.replace(ROLLING, held="purged")},
            Action.STOP_ROLLOUT,
            "undecided",
        ),
        (
            {"rollout": dataclasses.replace(ROLLING, held="misfit"), "fresh": 1},
            Action.STOP_ROLLOUT,
            "misfit",
        ),
        (
            {"rollout": dataclasses.replace(ROLLING, held="sample_ratio")},
            Action.HOLD,
            "rollout_held",
        ),
        ({"reward": DROPPED, "rollout": ROLLING, "job": RUNNING}, Action.HOLD, "drift"),
    ],
)
def test_each_sight_has_its_decision(changes: Any, action: Action, reason: str) -> None:
    decision = decide(PLAN, seen(**changes))
    assert (decision.action, decision.reason) == (action, reason)
    assert decision.words


def test_learning_leaves_half_of_the_day_to_training() -> None:
    now = seen(cost_left=3.0, llm_calls_left=101)
    assert decide(PLAN, now).limits(now) == {"max_llm_calls": 50, "max_cost": 1.5}
    now = seen(cost_left=3.0, fresh=1)
    assert decide(PLAN, now).limits(now) == {"max_llm_calls": None, "max_cost": 3.0}


def test_plans_that_cannot_be_carried_out_name_the_field() -> None:
    for given, field in (
        ({}, "usd_per_day"),
        ({"usd_per_day": 0.0}, "usd_per_day"),
        ({"calls_per_day": 0}, "calls_per_day"),
        ({"usd_per_day": float("nan")}, "usd_per_day"),
        ({"usd_per_day": 1.0, "batch": 0}, "batch"),
        ({"usd_per_day": 1.0, "reference": 50}, "reference"),
        ({"usd_per_day": 1.0, "canary": Plan(steps=(5, 50))}, "steps"),
    ):
        with pytest.raises(InputError) as refused:
            AutopilotPlan(**given)
        assert refused.value.field == field
    plan = AutopilotPlan(usd_per_day=1.5, canary=Plan(steps=(50, 100)))
    assert AutopilotPlan.from_dict(plan.as_dict()) == plan


def test_amounts_a_day_are_read_as_people_write_them() -> None:
    read = [a_day(text, "x") for text in ("5/day", "5", " 0.5 / day ", ".5/day")]
    assert read == [5, 5, 0.5, 0.5]
    for text in ("", "5/hour", "-5/day", "1e3", "five", "9" * 400):
        with pytest.raises(InputError, match="no amount a day"):
            a_day(text, "usd_per_day")


def test_moments_of_an_empty_reference_are_none() -> None:
    assert not reward_drift(Moments(), [], SIZE).dropped
