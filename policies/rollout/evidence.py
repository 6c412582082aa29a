"""What a rollout has seen so far, in counts and sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .confidence import Moments, Stratum


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """What one step has seen.

    Attributes:
        people: Without the canary, and with it.
        exposures: Requests without the canary, and with it.
        differ: Requests of both for which the releases chose different hints.
        reward: Of requests with feedback in time for which the choices differ, by arm.
        answered: Whether feedback came in time, of requests whose window is over, by arm.
        fallbacks: Whether the model's ranking or the hint was missing, by arm.
        latency: Log of 1 + milliseconds of the model's calls, by arm.
        cost: Log of 1 + tokens, weighted by their prices, by arm.
        failures: Whether the new release failed to choose, over requests of both arms: it is
            always asked.
        waiting: Exposures without feedback whose window is open, by arm.
        silent: Exposures whose window is over without feedback, by arm.
        late: Of those, how many got feedback later, by arm.
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all steps have seen.

    Attributes:
        steps: One for each step that was begun, the present one last.
    """

    steps: Sequence[StepEvidence]

    @property
    def exposures(self) -> int:
        """Requests that the new release served."""
        return sum(step.exposures[1] for step in self.steps)

    @property
    def differing(self) -> float:
        """Part of all requests for which the releases chose differently; 0 without any."""
        asked = sum(sum(step.exposures) for step in self.steps)
        return sum(step.differ for step in self.steps) / asked if asked else 0.0

    @property
    def failures(self) -> Moments:
        """Over all steps."""
        total = Moments()
        for step in self.steps:
            total += step.failures
        return total
