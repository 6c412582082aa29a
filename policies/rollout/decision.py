"""Decides how a rollout goes on: a pure function, the same in simulation and production.

Errors are shared out so that a release that equals the active one is promoted or taken back by
mistake with a chance of at most 5 %, over the whole rollout and however often it is looked at: 4 %
for the reward (2 % on either side), and 0.25 % for each of four guards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ...records import counted
from .confidence import FEWEST_PEOPLE, Bounds, Moments, difference, mean
from .evidence import Evidence
from .plan import Plan
from .sample_ratio import mismatch

REWARD_ALPHA = 0.04
GUARD_ALPHA = 0.0025
CHECK_ALPHA = 0.001
"""Error rate of the checks of the sample ratio and the answered share, which hold a rollout."""
_RARE = 0.05
"""The difference for which the guards on shares are narrowest."""
_RATIO = 0.2
"""The same for logs of latency and cost."""
_IN_LOGS = ("latency", "cost")
"""Guards whose values are logs."""
_WHOLE = 100


Guard = tuple[Bounds, float, str]
"""A measured difference, its limit, and what exceeding it means."""


class Action(StrEnum):
    """What to do with a rollout."""

    WAIT = "wait"
    STEP = "step"
    PROMOTE = "promote"
    HOLD = "hold"
    TAKE_BACK = "take_back"


_Finding = tuple[Action, str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and why.

    Attributes:
        action: What to do.
        reason: The reason in one word, for programs.
        words: The reason in a sentence, for people.
        figures: What it rests on, ready for JSON.
    """

    action: Action
    reason: str
    words: str
    figures: dict[str, Any]


def reward_bounds(plan: Plan, evidence: Evidence) -> Bounds:
    """Bound the difference of mean reward over all requests.

    Where both releases rank the same way, the difference is 0. So only the other requests are
    compared, and the difference is scaled by their share ("triggered analysis"; Kohavi et al.,
    2020, Trustworthy Online Controlled Experiments, chapter 20): far fewer exposures say as much.
    """
    part = evidence.differing
    if not part:
        return Bounds()
    strata = [step.reward for step in evidence.steps]
    return difference(strata, scale=plan.effect / part, alpha=REWARD_ALPHA).scaled(part)


def decide(plan: Plan, evidence: Evidence, *, held: bool = False) -> Verdict:
    """Decide how a rollout continues.

    Args:
        plan: What was asked for.
        evidence: What was seen; its last step is the present one.
        held: Whether it is held already: then it can only be taken back.
    """
    reward = reward_bounds(plan, evidence)
    guards = _guards(plan, evidence)
    alarms = _alarms(plan, evidence)
    figures = _figures(plan, evidence, reward, guards, alarms)

    found = _against(reward, guards)
    if found is None and held:
        found = Action.WAIT, "held", "It is held."
    if found is None:
        raised = [(name, what) for name, (odd, what) in alarms.items() if odd]
        found = (Action.HOLD, *raised[0]) if raised else _onwards(plan, evidence, reward)
    return Verdict(*found, figures)


def _against(reward: Bounds, guards: dict[str, Guard]) -> _Finding | None:
    """Return why the release is taken back, if it is."""
    for name, (bounds, limit, what) in guards.items():
        if bounds.low > limit:
            return Action.TAKE_BACK, name, f"{what} ({_interval(bounds, logs=name in _IN_LOGS)})."
    if reward.high < 0:
        lower = _interval(reward, sign=-1)
        return Action.TAKE_BACK, "worse", f"Its reward is lower by {lower}."
    return None


def _onwards(plan: Plan, evidence: Evidence, reward: Bounds) -> _Finding:
    """Go a step further, or say what is missing."""
    step = len(evidence.steps) - 1
    seen = evidence.steps[-1].exposures
    shadow = plan.share(step) == 0
    count = sum(seen) if shadow else seen[1]
    if count < plan.hold:
        words = f"{count:,} of {plan.hold:,} exposures at this step."
        return Action.WAIT, "exposures", words if shadow else words + _too_few(evidence, reward)
    if step + 1 == len(plan.steps):
        return Action.WAIT, "last_step", "There is no step after this one."
    if shadow:
        return _after_shadow(plan, evidence.failures)
    return _next_share(plan, evidence, reward, plan.steps[step + 1])


def _after_shadow(plan: Plan, failures: Moments) -> _Finding:
    """Serve the release to a first few, unless it often failed to choose."""
    failed = int(failures.total)
    found = f"It failed to choose in {failed:,} of {counted(int(failures.n), 'request')}"
    if failed > plan.failures * failures.n:
        return Action.WAIT, "failures", f"{found}, more than {plan.failures:.1%}."
    return Action.STEP, "shadow", f"{found}."


def _next_share(plan: Plan, evidence: Evidence, reward: Bounds, percent: float) -> _Finding:
    last = percent == _WHOLE
    limit = 0.0 if last and plan.goal == "better" else -plan.tolerated(percent / 100)
    found = f"Its reward differs by {_interval(reward)}"
    if reward.low > limit:
        return (
            (Action.PROMOTE, plan.goal, f"{found}.")
            if last
            else (Action.STEP, "no_loss", f"{found}.")
        )
    if evidence.exposures >= plan.most:
        said = f"{found} after {evidence.exposures:,} exposures, which decides nothing."
        return Action.HOLD, "undecided", said
    wanted = "a gain" if not limit else f"that it loses less than {-limit:.4f}"
    words = f"Its reward does not yet show {wanted}."
    return Action.WAIT, "reward", words + _too_few(evidence, reward)


def _too_few(evidence: Evidence, reward: Bounds) -> str:
    """Say of how many people the step lacks something, where no reward can be compared yet."""
    if not math.isinf(reward.low):
        return ""
    step = evidence.steps[-1]
    if min(step.people) < FEWEST_PEOPLE:
        found = f" Its requests came from {_of_fewest(step.people)}."
        often = any(
            people < FEWEST_PEOPLE <= asked
            for people, asked in zip(step.people, step.exposures, strict=True)
        )
        return f"{found} Name each person in `user`: a name counts once." if often else found
    known = (step.reward[0].people, step.reward[1].people)
    return f" Feedback in time, where the releases differ, came from {_of_fewest(known)}."


def _of_fewest(people: tuple[int, int]) -> str:
    needed = FEWEST_PEOPLE
    control, canary = (min(count, needed) for count in people)
    return f"{control} of {needed} people without the release and {canary} of {needed} with it"


def _guards(plan: Plan, evidence: Evidence) -> dict[str, Guard]:
    steps = evidence.steps
    shares = {"scale": _RARE, "alpha": GUARD_ALPHA}
    logs = {"scale": _RATIO, "alpha": GUARD_ALPHA}
    return {
        "failures": (
            mean(evidence.failures, **shares),
            plan.failures,
            f"The share of requests in which it fails to choose is above {plan.failures:.1%}",
        ),
        "fallbacks": (
            difference([step.fallbacks for step in steps], **shares),
            plan.fallbacks,
            f"The share of fallbacks is higher by more than {plan.fallbacks:.1%}",
        ),
        "latency": (
            difference([step.latency for step in steps], **logs),
            math.log1p(plan.latency),
            f"Answers are slower by more than {plan.latency:.0%}",
        ),
        "cost": (
            difference([step.cost for step in steps], **logs),
            math.log1p(plan.cost),
            f"Answers cost more by over {plan.cost:.0%}",
        ),
    }


def _alarms(plan: Plan, evidence: Evidence) -> dict[str, tuple[bool, str]]:
    """Return what keeps the figures from being believed."""
    # Steps share people, so each is tested on its own, at its part of the error.
    bound = math.log(len(plan.steps) / CHECK_ALPHA)
    step = len(evidence.steps) - 1
    control, canary = evidence.steps[-1].people
    odd = mismatch(control, canary, plan.share(step)) > bound
    answered = difference(
        [step.answered for step in evidence.steps], scale=_RARE, alpha=CHECK_ALPHA
    )
    got = f"{canary:,} of {control + canary:,} people got it, not {plan.steps[step]:g} %"
    apart = f"The part of exposures with feedback differs by {_interval(answered)}"
    return {
        "sample_ratio": (odd, f"{got}: something loses people of one side."),
        "answered": (
            answered.low > 0 or answered.high < 0,
            f"{apart}, so that the rewards are of different people.",
        ),
    }


def _figures(
    plan: Plan,
    evidence: Evidence,
    reward: Bounds,
    guards: dict[str, Guard],
    alarms: dict[str, tuple[bool, str]],
) -> dict[str, Any]:
    return {
        "percent": plan.steps[len(evidence.steps) - 1],
        "exposures": evidence.exposures,
        "differing": round(evidence.differing, 4),
        "reward": reward.as_dict(),
        "guards": {
            name: {**bounds.as_dict(), "limit": round(limit, 5)}
            for name, (bounds, limit, _) in guards.items()
        },
        "alarms": [name for name, (raised, _) in alarms.items() if raised],
    }


def _interval(bounds: Bounds, *, sign: int = 1, logs: bool = False) -> str:
    if math.isinf(bounds.low):
        return "an unknown amount"
    if logs:  # a difference of logs is a ratio
        return f"{math.expm1(bounds.low):+.1%} to {math.expm1(bounds.high):+.1%}"
    ends = sorted((sign * bounds.low, sign * bounds.high))
    form = "+.4f" if sign > 0 else ".4f"
    return f"{ends[0]:{form}} to {ends[1]:{form}}"
