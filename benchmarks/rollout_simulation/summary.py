"""How many of some simulated rollouts ended right, and what that took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from re2llm.policies.rollout.decision import Action

from .runs import Played

_QUARTER = 25.0


def summarised(played: Sequence[Played]) -> dict[str, Any]:
    """Return the shares of outcomes and the exposures needed, ready for JSON.

    Returns:
        `promoted`, `taken_back` and `held`, of 1; `taken_back_early`: before a quarter of people
        had the release; `exposures` and `requests`: their 5 %, 50 % and 95 % quantiles.
    """
    count = len(played)

    def part(*actions: Action) -> float:
        return round(sum(run.action in actions for run in played) / count, 4)

    early = sum(run.action is Action.TAKE_BACK and run.percent < _QUARTER for run in played)
    return {
        "runs": count,
        "promoted": part(Action.PROMOTE),
        "taken_back": part(Action.TAKE_BACK),
        "taken_back_early": round(early / count, 4),
        "held": part(Action.HOLD, Action.WAIT),
        "exposures": _quantiles([run.exposures for run in played]),
        "requests": _quantiles([run.requests for run in played]),
    }


def _quantiles(values: Sequence[int]) -> list[int]:
    return [int(value) for value in np.quantile(values, [0.05, 0.5, 0.95])]
