"""Each rule of a rollout, on evidence that calls for it and on evidence that just does not."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from re2llm.errors import InputError
from re2llm.policies.rollout.confidence import Moments, Stratum
from re2llm.policies.rollout.decision import Action, decide
from re2llm.policies.rollout.evidence import Evidence, StepEvidence
from re2llm.policies.rollout.plan import Plan

PLAN = Plan()


def arm(n: int, mean: float, deviation: float) -> Moments:
    return Moments(n, n, n * mean, n, n * (deviation**2 + mean**2), n * mean)


def pair(n: int, share: float, control: float, canary: float, deviation: float) -> Stratum:
    canaries = round(n * share)
    return arm(n - canaries, control, deviation), arm(canaries, canary, deviation)


def step(share: float, n: int, *, gain: float = 0.0, **changes: Any) -> StepEvidence:
    """A step in which nothing is wrong, with a gain of reward."""
    canaries = round(n * share)
    found = StepEvidence(
        people=(n - canaries, canaries),
        exposures=(n - canaries, canaries),
        differ=n,
        reward=pair(n, share, 0.4, 0.4 + gain, 0.35),
        answered=pair(n, share, 0.6, 0.6, 0.49),
        fallbacks=pair(n, share, 0.01, 0.01, 0.1),
        latency=pair(n, share, 6.0, 6.0, 0.5),
        cost=pair(n, share, 7.0, 7.0, 0.2),
        failures=arm(n, 0.0, 0.0),
    )
    return replace(found, **changes)


FIRST = step(0.01, 60_000)
SECOND = step(0.05, 100_000)
THIRD = step(0.25, 60_000)


def verdict(*steps: StepEvidence, plan: Plan = PLAN, held: bool = False) -> tuple[Action, str]:
    found = decide(plan, Evidence(steps), held=held)
    return found.action, found.reason


def test_a_step_lasts_its_exposures_and_then_rules_out_a_loss() -> None:
    assert verdict(step(0.01, 49_900)) == (Action.WAIT, "exposures")
    assert verdict(FIRST) == (Action.STEP, "no_loss")
    assert verdict(FIRST, step(0.05, 12_000)) == (Action.WAIT, "reward")
    assert verdict(FIRST, SECOND) == (Action.STEP, "no_loss")


def test_the_last_step_needs_a_gain_unless_equal_is_enough() -> None:
    gaining = step(0.25, 60_000, gain=0.02)
    assert verdict(FIRST, SECOND, gaining) == (Action.PROMOTE, "better")
    assert verdict(FIRST, SECOND, THIRD) == (Action.WAIT, "reward")
    much = step(0.25, 1_200_000)
    plan = Plan(goal="not_worse", most=10**9)
    assert verdict(FIRST, SECOND, THIRD, plan=plan) == (Action.WAIT, "reward")
    assert verdict(FIRST, SECOND, much, plan=plan) == (Action.PROMOTE, "not_worse")
    assert verdict(FIRST, SECOND, much) == (Action.HOLD, "undecided")


def test_a_worse_release_is_taken_back_at_any_step_even_where_it_is_held() -> None:
    worse = step(0.05, 100_000, gain=-0.03)
    assert verdict(FIRST, worse) == (Action.TAKE_BACK, "worse")
    assert verdict(FIRST, worse, held=True) == (Action.TAKE_BACK, "worse")
    assert verdict(FIRST, SECOND, held=True) == (Action.WAIT, "held")


@pytest.mark.parametrize(
    ("name", "bad", "tolerated"),
    [
        ("fallbacks", pair(60_000, 0.01, 0.01, 0.2, 0.3), pair(60_000, 0.01, 0.01, 0.02, 0.1)),
        ("latency", pair(60_000, 0.01, 6.0, 6.5, 0.5), pair(60_000, 0.01, 6.0, 6.15, 0.5)),
        ("cost", pair(60_000, 0.01, 7.0, 7.4, 0.3), pair(60_000, 0.01, 7.0, 7.1, 0.3)),
    ],
)
def test_a_release_is_taken_back_beyond_a_guards_limit_only(
    name: str, bad: Stratum, tolerated: Stratum
) -> None:
    assert verdict(step(0.01, 60_000, **{name: bad})) == (Action.TAKE_BACK, name)
    assert verdict(step(0.01, 60_000, **{name: tolerated})) == (Action.STEP, "no_loss")


def test_what_a_guard_has_seen_is_said_in_percent() -> None:
    slow = step(0.01, 60_000, latency=pair(60_000, 0.01, 6.0, 6.5, 0.5))
    said = decide(PLAN, Evidence([slow])).words
    found = re.fullmatch(
        r"Answers are slower by more than 25% \(\+(\d+\.\d)% to \+(\d+\.\d)%\)\.", said
    )
    assert found is not None, said
    low, high = map(float, found.groups())
    assert low < 100 * (math.exp(0.5) - 1) < high
    failing = decide(PLAN, Evidence([step(0.01, 100, failures=arm(100, 1.0, 0.0))])).words
    assert failing.startswith("The share of requests in which it fails to choose is above 1.0% (")


def test_a_release_that_fails_is_taken_back_within_some_dozens_of_requests() -> None:
    failing = step(0.01, 100, failures=arm(100, 1.0, 0.0))
    assert verdict(failing) == (Action.TAKE_BACK, "failures")
    once = step(0.01, 60_000, failures=arm(60_000, 1 / 60_000, 0.004))
    assert verdict(once) == (Action.STEP, "no_loss")


def test_a_sample_that_is_out_of_ratio_holds_and_so_does_unequal_feedback() -> None:
    lost = step(0.25, 60_000, people=(45_000, 13_500))
    assert verdict(FIRST, SECOND, lost) == (Action.HOLD, "sample_ratio")
    silent = step(0.25, 60_000, answered=pair(60_000, 0.25, 0.6, 0.5, 0.49))
    assert verdict(FIRST, SECOND, silent) == (Action.HOLD, "answered")


def test_a_shadow_step_serves_nobody_and_needs_no_reward() -> None:
    plan = Plan(steps=(0, 5, 100), hold=200)
    seen = StepEvidence(people=(300, 0), exposures=(300, 0), failures=arm(300, 0, 0))
    assert verdict(seen, plan=plan) == (Action.STEP, "shadow")
    failing = replace(seen, failures=arm(300, 0.4, 0.5))
    assert verdict(failing, plan=plan) == (Action.TAKE_BACK, "failures")
    assert verdict(seen, plan=Plan(steps=(0,), hold=200)) == (Action.WAIT, "last_step")
    doubtful = replace(seen, failures=arm(300, 4 / 300, 0.1))
    assert verdict(doubtful, plan=plan) == (Action.WAIT, "failures")
    good = decide(plan, Evidence([replace(seen, failures=arm(300, 3 / 300, 0.1))]))
    assert (good.action, good.words) == (Action.STEP, "It failed to choose in 3 of 300 requests.")


def test_only_requests_for_which_the_releases_differ_are_compared() -> None:
    """Of 100,000 requests, a tenth differ, and gain ten times as much."""
    rare = step(0.25, 10_000, gain=0.2, differ=10_000)
    rare = replace(rare, exposures=(75_000, 25_000), people=(75_000, 25_000))
    found = decide(PLAN, Evidence([rare]))
    reward = found.figures["reward"]
    assert reward["value"] == pytest.approx(0.02, abs=1e-4)
    everything = decide(PLAN, Evidence([step(0.25, 100_000, gain=0.02)])).figures["reward"]
    assert reward["high"] - reward["low"] < (everything["high"] - everything["low"]) / 2


def test_nothing_is_decided_on_nothing() -> None:
    assert verdict(StepEvidence()) == (Action.WAIT, "exposures")
    plan = Plan(hold=1)
    unanswered = StepEvidence(people=(99, 1), exposures=(99, 1))
    assert verdict(unanswered, plan=plan) == (Action.WAIT, "reward")


@pytest.mark.parametrize(
    ("percent", "people", "exposures", "known", "said", "remedy"),
    [
        (5, (1, 0), (900, 0), (1, 0), "requests came from 1 of 30 people without the", True),
        (1, (300, 1), (900, 600), (300, 1), "without the release and 1 of 30 with it", True),
        (3, (300, 9), (900, 12), (300, 9), "without the release and 9 of 30 with it.", False),
        (25, (300, 90), (900, 90), (8, 2), "differ, came from 8 of 30 people without", False),
        (25, (300, 90), (900, 90), (100, 60), "", False),
    ],
)
def test_a_rollout_that_waits_for_people_says_of_how_many(
    percent: float, people: Any, exposures: Any, known: Any, said: str, *, remedy: bool
) -> None:
    control, canary = (arm(n, 0.4, 0.35) for n in known)
    seen = StepEvidence(people=people, exposures=exposures, differ=900, reward=(control, canary))
    for hold in (10_000, 1):
        found = decide(Plan(steps=(percent, 100), hold=hold), Evidence([seen]))
        reason = "exposures" if exposures[1] < hold else "reward"
        assert (found.action, found.reason) == (Action.WAIT, reason)
        assert said in found.words
        assert ("Name each person in `user`" in found.words) == remedy
        assert ("of 30" in found.words) == bool(said)
    shadow = decide(Plan(steps=(0, 5), hold=10_000), Evidence([replace(seen, people=(1, 0))]))
    assert "people" not in shadow.words


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("steps", {"steps": ()}),
        ("steps", {"steps": (5, 5)}),
        ("steps", {"steps": (5, 1)}),
        ("steps", {"steps": (100,)}),
        ("steps", {"steps": (0, 100)}),
        ("steps", {"steps": (5, 101)}),
        ("steps", {"steps": (float("nan"),)}),
        ("hold", {"hold": 0}),
        ("effect", {"effect": 0.0}),
        ("effect", {"effect": float("nan")}),
        ("window", {"window": 10**9}),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        Plan(**given)
    assert refused.value.field == field


def test_a_plan_that_is_asked_for_has_no_unknown_fields() -> None:
    assert Plan.asked({"steps": [1, 100], "hold": 9}) == Plan(steps=(1, 100), hold=9)
    with pytest.raises(InputError, match="stpes") as refused:
        Plan.asked({"stpes": [1, 100]})
    assert "steps, hold" in refused.value.remedy


def test_a_plan_survives_being_stored() -> None:
    plan = Plan(steps=(0, 2.5, 50), hold=9, goal="not_worse")
    assert Plan.from_dict(plan.as_dict()) == plan
    assert Plan.from_dict({"steps": [1, 100], "unknown": 1}) == Plan(steps=(1, 100))
