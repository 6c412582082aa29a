"""What a hint policy chose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..knowledge.hint_store.hints import Hint
from ..knowledge.log.feedback import HintChosen
from ..records import Flag
from .state import Assignment


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a policy chose.

    Attributes:
        hint: The hint, or `None`; of several, the first that was picked.
        probability: The probability with which it was chosen; several hints, in any order.
        policy: Says more exactly what chose, such as a release; `None` where the name says it all.
        flags: What the caller should know about the choice.
        further: The other hints, in the order in which they were picked, if there are several.
        steps: Probability of each step of a policy that may pick several hints.
        drawn: Returns the probability of any choice, where a policy draws; without it, what was
            chosen was certain.
        assignment: The release of a rollout that serves, if one is under way.
        beside: What a rollout's other release chose.
    """

    hint: Hint | None
    probability: float
    policy: str | None = None
    flags: tuple[Flag, ...] = ()
    further: tuple[Hint, ...] = ()
    steps: tuple[float, ...] = ()
    drawn: Callable[[HintChosen], float] | None = None
    assignment: Assignment | None = None
    beside: Chosen | None = None

    @property
    def hints(self) -> tuple[Hint, ...]:
        """All hints that were chosen, in the order in which they were picked."""
        return () if self.hint is None else (self.hint, *self.further)

    @property
    def choice(self) -> HintChosen:
        """The ids of all hints, whatever their order."""
        return choice_of([hint.id for hint in self.hints])

    def likelihood(self, choice: HintChosen) -> float:
        """Return the probability with which the policy would have made a choice here."""
        return float(choice == self.choice) if self.drawn is None else self.drawn(choice)


def choice_of(ids: Sequence[int]) -> HintChosen:
    """Return what the hints of these ids are as one choice."""
    return tuple(sorted(ids)) if len(ids) > 1 else next(iter(ids), None)
