"""What a rollout is to do: its steps, and what counts as better, worse and too expensive."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Literal, Self

from ...errors import InputError

Goal = Literal["better", "not_worse"]
"""What the last step needs: a proven gain, or a proven absence of a loss that matters."""

_QUARTER = 0.25
_LONGEST_WINDOW = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a release is rolled out.

    Attributes:
        steps: Percent of people who get the release, rising; 0 first is a shadow step, in which it
            chooses and is logged but is not used. At 100 it is activated.
        hold: Exposures of the release that each step lasts at least.
        most: Exposures of the release after which the rollout is held for a person to decide.
        window: Seconds within which feedback on an exposure counts.
        effect: The difference of mean reward that is worth finding. A step to a share s (of 1) is
            taken once a loss of effect / 4s is ruled out: the whole effect at a quarter of the
            traffic, more below, less above.
        goal: What the step to 100 needs.
        failures: Share of requests in which the release may fail to choose.
        fallbacks: By how much the share of answers without the model's ranking, or without the
            hint, may rise.
        latency: Share by which the model may answer slower (geometric means).
        cost: Share by which an answer may cost more (geometric means of tokens, weighted by price).
    """

    steps: tuple[float, ...] = (1, 5, 25, 100)
    hold: int = 500
    most: int = 50_000
    window: int = 3600
    effect: float = 0.02
    goal: Goal = "better"
    failures: float = 0.01
    fallbacks: float = 0.02
    latency: float = 0.25
    cost: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        _check_steps(self.steps)
        for name, low, high in (
            ("hold", 1, 10**9),
            ("most", 1, 10**9),
            ("window", 1, _LONGEST_WINDOW),
            ("effect", 0.0001, 1),
            ("failures", 0, 1),
            ("fallbacks", 0, 1),
            ("latency", 0, 100),
            ("cost", 0, 100),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    name, f"{getattr(self, name):g} is out of range.", f"Use {low:g} to {high:g}."
                )

    def share(self, step: int) -> float:
        """Return the part of all people, of 1, who get the release at a step."""
        return self.steps[step] / 100

    def tolerated(self, share: float) -> float:
        """Return the loss of mean reward that must be ruled out before a step to a share."""
        return self.effect * _QUARTER / share

    def as_dict(self) -> dict[str, Any]:
        """Return the plan, ready for JSON."""
        return {**asdict(self), "steps": list(self.steps)}

    @classmethod
    def asked(cls, given: dict[str, Any]) -> Self:
        """Return the plan that a caller asks for; missing fields take their defaults.

        Raises:
            InputError: A field is unknown, or cannot be carried out.
        """
        names = [field.name for field in fields(cls)]
        for name in given:
            if name not in names:
                raise InputError(name, "A plan has no such field.", f"It has {', '.join(names)}.")
        return cls.from_dict(given)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Return a stored plan; missing fields take their defaults."""
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = {name: value for name, value in stored.items() if name in known}
        if "steps" in given:
            given["steps"] = tuple(given["steps"])
        return cls(**given)


def percentages(text: str) -> tuple[float, ...]:
    """Read the steps of a plan from text such as `1,5,25,100`; percent signs are left out.

    Raises:
        InputError: It is no list of numbers.
    """
    try:
        return tuple(float(part) for part in text.replace("%", "").split(","))
    except ValueError:
        raise InputError("steps", f"{text!r} is no list of numbers.", "Write 1,5,25,100.") from None


def steps_text(steps: tuple[float, ...]) -> str:
    """Return the steps of a plan as text that `percentages` reads."""
    return ",".join(f"{step:g}" for step in steps)


def _check_steps(steps: tuple[float, ...]) -> None:
    remedy = "Send rising percentages such as 1,5,25,100; 0 first is a shadow step."
    if not steps or len(steps) > 20:  # noqa: PLR2004
        raise InputError("steps", f"There are {len(steps)}.", remedy)
    if not all(0 <= step <= 100 for step in steps):  # noqa: PLR2004
        raise InputError("steps", "A step is below 0 or above 100 percent.", remedy)
    if 100 in steps[:1]:  # noqa: PLR2004
        raise InputError("steps", "Nothing is left to compare with at 100 percent.", remedy)
    if tuple(steps[:2]) == (0, 100):
        raise InputError("steps", "A shadow step proves no gain for 100 percent.", remedy)
    if not all(before < after for before, after in pairwise(steps)):
        raise InputError("steps", "They do not rise.", remedy)
