"""What an autopilot does next, from what it sees: a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ...records import counted
from .drift import RewardDrift
from .plan import AutopilotPlan

LEARN_SHARE = 0.5
"""Share of what is left of the day's budget; the rest is for the trials of a training that
follows."""
LEAST_SHARE = 0.01
"""Share of a day's budget; with less left, no step is started."""
RETRAIN = 20
"""Batches of picks after which the policy is trained again, without any new hint."""
MISFIT = "misfit"
"""A rollout is for another model or prompt, and for long no request has belonged to it."""
_NEVER_DECIDED = frozenset({"undecided", "purged", MISFIT})
"""Reasons why a sound rollout cannot end: it has seen enough, or can see no more."""


class Action(StrEnum):
    """What to do."""

    WAIT = "wait"
    HOLD = "hold"
    LEARN = "learn"
    TIDY = "tidy"
    TRAIN = "train"
    ROLL_OUT = "roll_out"
    STOP_ROLLOUT = "stop_rollout"


@dataclass(frozen=True, slots=True)
class LastJob:
    """The newest step that is a job.

    Attributes:
        id: The id of the job.
        kind: `learn`, `tidy` or `train`.
        state: The state of the job.
        reason: Why it stopped or failed.
    """

    id: str
    kind: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class LiveRollout:
    """A rollout that serves.

    Attributes:
        release: Its number.
        percent: Percentage of people who get it.
        held: Why it cannot go on, in a word; empty if it can.
        words: What it waits for, or why it cannot go on.
    """

    release: int
    percent: float
    held: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What an autopilot knows when it decides.

    Attributes:
        reward: Live reward against what was expected.
        rollout: The live one.
        job: The newest step, since the autopilot was turned on or resumed.
        candidate: The newest release, if the autopilot trained it, it was neither rolled out nor
            activated, and on validation sessions it gained, and no less than the active one.
        misses: New ones.
        picks: People's picks since the last training.
        fresh: Hints that became active since the last training.
        hints: Active and pending ones.
        most_hints: The number that a domain may have.
        cost_left: What is left of today's budget in US dollars; `None` without such a limit.
        llm_calls_left: Likewise.
    """

    reward: RewardDrift
    rollout: LiveRollout | None = None
    job: LastJob | None = None
    candidate: int | None = None
    misses: int = 0
    picks: int = 0
    fresh: int = 0
    hints: int = 0
    most_hints: int = 64
    cost_left: float | None = None
    llm_calls_left: int | None = None

    def figures(self) -> dict[str, Any]:
        """Return what a decision rests on, ready for JSON."""
        return {
            "reward": self.reward.as_dict(),
            "rollout": None if self.rollout is None else self.rollout.release,
            "misses": self.misses,
            "picks": self.picks,
            "new_hints": self.fresh,
            "hints": self.hints,
            "cost_left": self.cost_left,
            "llm_calls_left": self.llm_calls_left,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why.

    Attributes:
        action: What to do.
        reason: The reason in one word, for programs.
        words: The reason in a sentence, for people.
        share: Share of what is left of the day's budget, for a step that is a job.
    """

    action: Action
    reason: str
    words: str
    share: float = 1.0

    def limits(self, seen: Observation) -> Mapping[str, Any]:
        """Return the limits of the job, by their names in `submit`."""
        calls, cost = seen.llm_calls_left, seen.cost_left
        return {
            "max_llm_calls": None if calls is None else max(1, int(calls * self.share)),
            "max_cost": None if cost is None else cost * self.share,
        }


def decide(plan: AutopilotPlan, seen: Observation) -> Decision:
    """Decide what to do next.

    Args:
        plan: How it goes about its steps.
        seen: What there is.
    """
    return _stopped(seen) or _waits(seen) or _step(plan, seen)


def _stopped(seen: Observation) -> Decision | None:
    """Hold where a person has to look."""
    if seen.reward.dropped:
        found = seen.reward.as_dict()
        words = (
            f"Live reward fell from {found['expected']:.4f} to {found['live']:.4f} "
            f"(difference {found['low']:+.4f} to {found['high']:+.4f})."
        )
        return Decision(Action.HOLD, "drift", words)
    if seen.rollout is not None and seen.rollout.held not in {"", *_NEVER_DECIDED}:
        words = f"The rollout of release {seen.rollout.release} is held: {seen.rollout.words}"
        return Decision(Action.HOLD, "rollout_held", words)
    if seen.job is not None and seen.job.state == "failed":
        return Decision(Action.HOLD, "job_failed", f"{seen.job.id} failed: {seen.job.reason}")
    return None


def _waits(seen: Observation) -> Decision | None:
    """Let what is under way end."""
    if seen.rollout is not None:
        release = seen.rollout.release
        if seen.rollout.held == MISFIT:
            return Decision(Action.STOP_ROLLOUT, MISFIT, seen.rollout.words)
        if seen.rollout.held:
            words = f"Release {release} proved neither better nor worse: {seen.rollout.words}"
            return Decision(Action.STOP_ROLLOUT, "undecided", words)
        words = f"Release {release} is at {seen.rollout.percent:g} %: {seen.rollout.words}"
        return Decision(Action.WAIT, "rollout", words)
    if seen.job is not None and seen.job.state in {"running", "paused"}:
        return Decision(Action.WAIT, "job", f"{seen.job.id} is {seen.job.state}.")
    return None


def _step(plan: AutopilotPlan, seen: Observation) -> Decision:
    """Go on to the next step, if there is something to do."""
    if seen.candidate is not None:
        words = f"Release {seen.candidate}: on validation sessions, it gained."
        return Decision(Action.ROLL_OUT, "trained", words)
    if _spent(plan, seen):
        return Decision(Action.WAIT, "budget", "What may be spent today is spent.")
    return _train(plan, seen) or _learn(plan, seen)


def _train(plan: AutopilotPlan, seen: Observation) -> Decision | None:
    """Make room for hints, or train on what is new."""
    last = None if seen.job is None else seen.job.kind
    if seen.hints >= seen.most_hints and last != "tidy":
        return Decision(Action.TIDY, "full", f"There are {counted(seen.hints, 'hint')}.")
    if seen.fresh:
        words = f"There {'is' if seen.fresh == 1 else 'are'} {counted(seen.fresh, 'new hint')}."
        return Decision(Action.TRAIN, "new_hints", words)
    if seen.hints and seen.picks >= RETRAIN * plan.batch and last != "train":
        words = f"There are {counted(seen.picks, 'pick')} since the last training."
        return Decision(Action.TRAIN, "new_picks", words)
    return None


def _learn(plan: AutopilotPlan, seen: Observation) -> Decision:
    if seen.misses < plan.batch:
        words = f"New misses: {seen.misses:,} of {plan.batch:,}."
        return Decision(Action.WAIT, "misses", words)
    if seen.hints >= seen.most_hints:
        words = "There is no room for hints; see `re2llm hints tidy` and RE2LLM_HINTS_MAX."
        return Decision(Action.WAIT, "full", words)
    words = f"There are {counted(seen.misses, 'new miss', 'new misses')}."
    return Decision(Action.LEARN, "misses", words, LEARN_SHARE)


def _spent(plan: AutopilotPlan, seen: Observation) -> bool:
    cost, calls = plan.usd_per_day, plan.calls_per_day
    return (
        cost is not None and seen.cost_left is not None and seen.cost_left < LEAST_SHARE * cost
    ) or (
        calls is not None
        and seen.llm_calls_left is not None
        and seen.llm_calls_left < max(1.0, LEAST_SHARE * calls)
    )
