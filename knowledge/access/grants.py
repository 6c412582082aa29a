"""What an API key may do and spend, besides the domains that it opens."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from ...errors import InputError
from ..texts import storable

Right = Literal["learn", "export", "load", "metrics"]
"""A right that only some keys have: run the `learn` graph, export data, load a file, or read the
numbers of the whole server."""

_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What a key was granted. By default it may ask the server's own model, without a limit.

    Attributes:
        models: Models that a request may name, besides the server's own.
        may: What else it may do.
        calls_per_day: Paid model calls of one day (UTC), or `None` for any number.
        usd_per_day: What the calls of one day may cost, by the price table, or `None` for any sum.
        requests_per_minute: HTTP requests of one minute, or `None` for any number.
    """

    models: tuple[str, ...] = ()
    may: tuple[Right, ...] = ()
    calls_per_day: int | None = None
    usd_per_day: float | None = None
    requests_per_minute: int | None = None

    @property
    def may_start(self) -> bool:
        """Whether it may start jobs: workers do not count their calls for a key's daily limits."""
        limited = self.calls_per_day is not None or self.usd_per_day is not None
        return "learn" in self.may and not limited

    def check(self) -> None:
        """Make sure that every grant can be stored and kept.

        Raises:
            InputError: One cannot; the message names it.
        """
        for model in self.models:
            if not model.strip() or not storable(model):
                raise InputError("models", f"{model!r} cannot be a name.", "Give a plain one.")
        for right in self.may:
            if right not in get_args(Right):
                known = " or ".join(get_args(Right))
                raise InputError("may", f"There is no right {right!r}.", f"Choose {known}.")
        for field, number in (
            ("calls_per_day", self.calls_per_day),
            ("usd_per_day", self.usd_per_day),
            ("requests_per_minute", self.requests_per_minute),
        ):
            if number is None:
                continue
            if not (math.isfinite(number) and 0 < number <= _MOST):
                remedy = f"Give a number above 0, and {_MOST} at most."
                raise InputError(field, f"{number} is no limit.", remedy)

    def as_dict(self) -> dict[str, Any]:
        """Return the grants as JSON primitives."""
        return {**asdict(self), "models": list(self.models), "may": list(self.may)}

    @classmethod
    def from_dict(cls, document: object) -> Grants:
        """Return the grants that `as_dict` wrote; of anything else, none.

        Args:
            document: A document from `as_dict`.
        """
        if not isinstance(document, dict):
            return cls()
        given = dict(cast("dict[str, Any]", document))
        models, may = tuple(given.pop("models")), tuple(given.pop("may"))
        return cls(models=models, may=may, **given)
