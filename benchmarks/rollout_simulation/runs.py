"""Plays rollouts on simulated viewers, with the decisions that a server takes.

Viewers return: some often, some once; each has rewards of their own level, and everybody's level
drifts. A part of all exposures never gets feedback. So requests are neither alike nor independent,
as on a real server. `decide` is the server's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from re2llm.policies.rollout.decision import Action, Verdict, decide
from re2llm.policies.rollout.evidence import Evidence, StepEvidence
from re2llm.policies.rollout.plan import Plan

from .rewards import RewardModel
from .tally import Tally

Decide = Callable[[Plan, Evidence], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Who sends requests.

    Attributes:
        rewards: Of the requests for which the releases choose differently.
        viewers: How many people there are.
        answered: Part of exposures that get feedback.
        differing: Part of requests for which the releases choose differently.
        requests: After how many requests a run ends undecided.
        look: Requests between two looks.
    """

    rewards: RewardModel
    viewers: int = 200_000
    answered: float = 0.6
    differing: float = 1.0
    requests: int = 1_500_000
    look: int = 1_000


@dataclass(frozen=True, slots=True)
class Played:
    """How a simulated rollout ended.

    Attributes:
        action: Its last decision; `WAIT` if there was none.
        reason: Of that decision.
        percent: Percentage of people who had the release when it ended.
        exposures: Requests that the release served.
        requests: Requests in all.
    """

    action: Action
    reason: str
    percent: float
    exposures: int
    requests: int


class _Step:
    """One step of a run: its own tallies, since arms are compared within a step."""

    def __init__(self, canary: np.ndarray) -> None:
        self.canary = canary
        self.people = np.zeros(len(canary), dtype=np.bool_)
        self.exposures = np.zeros(2, dtype=np.int64)
        self.differ = 0
        names = ("reward", "answered", "fallbacks", "latency", "cost", "failures")
        self.tallies = {name: Tally(canary) for name in names}

    def evidence(self) -> StepEvidence:
        found = {name: tally.stratum for name, tally in self.tallies.items()}
        control, canary = found.pop("failures")
        seen = np.bincount(self.canary[self.people].astype(np.intp), minlength=2)
        return StepEvidence(
            people=(int(seen[0]), int(seen[1])),
            exposures=(int(self.exposures[0]), int(self.exposures[1])),
            differ=self.differ,
            failures=control + canary,
            reward=found["reward"],
            answered=found["answered"],
            fallbacks=found["fallbacks"],
            latency=found["latency"],
            cost=found["cost"],
        )


def play(plan: Plan, world: World, *, seed: int, decided_by: Decide = decide) -> Played:
    """Play one rollout to its end.

    Args:
        decided_by: Takes the decisions; a faulty one shows that the proof can fail.
    """
    rng = np.random.default_rng(seed)
    places = rng.random(world.viewers)
    kinds = rng.integers(0, world.rewards.cumulative.shape[1], world.viewers)
    activity = np.cumsum(rng.lognormal(0.0, 1.0, world.viewers))
    activity /= activity[-1]
    past: list[StepEvidence] = []
    step = _Step(places < plan.share(0))
    ended = Played(Action.WAIT, "", plan.steps[0], 0, 0)
    for asked in range(world.look, world.requests + 1, world.look):
        people = np.searchsorted(activity, rng.random(world.look))
        _serve(step, people, kinds, world, asked / world.requests, rng)
        evidence = Evidence([*past, step.evidence()])
        verdict = decided_by(plan, evidence)
        percent = plan.steps[len(past)]
        ended = Played(verdict.action, verdict.reason, percent, evidence.exposures, asked)
        if verdict.action is Action.STEP:
            past.append(evidence.steps[-1])
            step = _Step(places < plan.share(len(past)))
        elif verdict.action is not Action.WAIT:
            return ended
    return replace(ended, action=Action.WAIT)


def _serve(
    step: _Step,
    people: np.ndarray,
    kinds: np.ndarray,
    world: World,
    time: float,
    rng: np.random.Generator,
) -> None:
    count = len(people)
    canary = step.canary[people]
    step.people[people] = True
    step.exposures += np.bincount(canary.astype(np.intp), minlength=2)
    differ = rng.random(count) < world.differing
    step.differ += int(differ.sum())
    answered = rng.random(count) < world.answered
    rewarded = people[differ & answered]
    drawn = world.rewards.draw(time, kinds[rewarded], canary[differ & answered], rng)
    step.tallies["reward"].add(rewarded, drawn)
    step.tallies["answered"].add(people, answered.astype(np.float64))
    step.tallies["fallbacks"].add(people, (rng.random(count) < 0.01).astype(np.float64))  # noqa: PLR2004
    step.tallies["latency"].add(people, rng.normal(6.5, 0.6, count))
    step.tallies["cost"].add(people, rng.normal(7.0, 0.2, count))
    step.tallies["failures"].add(people, np.zeros(count))
