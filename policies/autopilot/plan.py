"""What an autopilot may spend, and how it goes about its steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ...errors import InputError
from ..rollout.plan import Plan

_WHOLE = 100
_A_DAY = re.compile(r"(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(?:\s*/\s*day)?")
_MOST = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopilotPlan:
    """How an autopilot goes about its steps.

    Attributes:
        usd_per_day: What all its steps may cost in a day (UTC), at `RE2LLM_PRICES`; `None` for
            any amount. At least one of this and the next is given.
        calls_per_day: Model calls that they may make in a day; `None` for any number.
        batch: New misses that are learned from together.
        reference: Rewards after a promotion that say what to expect of the release.
        canary: How a new release is rolled out; its last step is 100.
    """

    usd_per_day: float | None = None
    calls_per_day: int | None = None
    batch: int = 50
    reference: int = 500
    canary: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        if self.usd_per_day is None and self.calls_per_day is None:
            raise InputError(
                "usd_per_day",
                "There is no limit to what it may spend.",
                "Give `usd_per_day` or `calls_per_day`.",
            )
        for name, value, least in (
            ("usd_per_day", self.usd_per_day, 0.01),
            ("calls_per_day", self.calls_per_day, 1),
            ("batch", self.batch, 1),
            ("reference", self.reference, _WHOLE),
        ):
            if value is not None and not least <= value <= _MOST:
                raise InputError(
                    name, f"{value:g} is out of range.", f"Use {least:g} to {_MOST:,}."
                )
        if self.canary.steps[-1] != _WHOLE:
            raise InputError(
                "steps", "They do not end at 100.", "A rollout that never ends blocks the next."
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the plan, ready for JSON."""
        return {
            "usd_per_day": self.usd_per_day,
            "calls_per_day": self.calls_per_day,
            "batch": self.batch,
            "reference": self.reference,
            "canary": self.canary.as_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return a stored plan."""
        given: dict[str, Any] = {**stored, "canary": Plan.from_dict(dict(stored["canary"]))}
        return cls(**given)


def a_day(text: str, name: str) -> float:
    """Read an amount a day, such as `5/day` or `5`.

    Args:
        text: What was typed.
        name: The field that the error names.

    Raises:
        InputError: It is no such amount.
    """
    found = _A_DAY.fullmatch(text.strip())
    if found is None:
        raise InputError(name, f"{text!r} is no amount a day.", "Write it as 5/day.")
    return float(found[1])
