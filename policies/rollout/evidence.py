"""What a rollout has seen so far, in counts and sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from .confidence import Moments, Stratum

_T = TypeVar("_T", int, Moments)


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """What one step has seen.

    Attributes:
        people: People without the canary, and with it.
        exposures: Requests without the canary, and with it.
        differ: Requests of both for which the releases may rank differently.
        reward: Rewards of exposures with feedback in time, by arm.
        answered: Whether feedback came in time, of requests whose window is over, by arm.
        fallbacks: Whether the model's ranking or the hint was missing, by arm. This and the next
            two are of requests for which both releases ask the model.
        latency: Log of 1 + milliseconds of the model's calls, by arm.
        cost: Log of 1 + tokens, weighted by their prices, by arm.
        failures: Whether the new release failed to choose, over requests of both arms: it is
            always asked.
        waiting: Exposures without feedback whose window is open, by arm.
        silent: Exposures whose window is over without feedback, by arm.
        late: How many of those got feedback later, by arm.
        none_picked: Feedback in time that says "none of these", by arm.
    """

    people: tuple[int, int] = (0, 0)
    exposures: tuple[int, int] = (0, 0)
    differ: int = 0
    reward: Stratum = (Moments(), Moments())
    answered: Stratum = (Moments(), Moments())
    fallbacks: Stratum = (Moments(), Moments())
    latency: Stratum = (Moments(), Moments())
    cost: Stratum = (Moments(), Moments())
    failures: Moments = field(default_factory=Moments)
    waiting: tuple[int, int] = (0, 0)
    silent: tuple[int, int] = (0, 0)
    late: tuple[int, int] = (0, 0)
    none_picked: tuple[int, int] = (0, 0)

    def __add__(self, other: StepEvidence) -> StepEvidence:
        """Add up what another owner's people have seen of the same step."""
        return StepEvidence(
            people=_sum(self.people, other.people),
            exposures=_sum(self.exposures, other.exposures),
            differ=self.differ + other.differ,
            reward=_sum(self.reward, other.reward),
            answered=_sum(self.answered, other.answered),
            fallbacks=_sum(self.fallbacks, other.fallbacks),
            latency=_sum(self.latency, other.latency),
            cost=_sum(self.cost, other.cost),
            failures=self.failures + other.failures,
            waiting=_sum(self.waiting, other.waiting),
            silent=_sum(self.silent, other.silent),
            late=_sum(self.late, other.late),
            none_picked=_sum(self.none_picked, other.none_picked),
        )


def _sum(one: tuple[_T, _T], other: tuple[_T, _T]) -> tuple[_T, _T]:
    return one[0] + other[0], one[1] + other[1]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all steps have seen.

    Attributes:
        steps: One for each step that was begun, the present one last.
    """

    steps: Sequence[StepEvidence]

    def __add__(self, other: Evidence) -> Evidence:
        """Add up what another owner's people have seen of the same steps; no steps are nothing."""
        if not self.steps or not other.steps:
            return self if self.steps else other
        return Evidence([a + b for a, b in zip(self.steps, other.steps, strict=True)])

    @property
    def exposures(self) -> int:
        """Requests that the new release served."""
        return sum(step.exposures[1] for step in self.steps)

    @property
    def differing(self) -> float:
        """Share of the requests for which the releases may rank differently; 0 without any."""
        asked = sum(sum(step.exposures) for step in self.steps)
        return sum(step.differ for step in self.steps) / asked if asked else 0.0

    @property
    def failures(self) -> Moments:
        """Over all steps."""
        total = Moments()
        for step in self.steps:
            total += step.failures
        return total
