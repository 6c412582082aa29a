"""What an autopilot gained on simulated viewers, and what it spent a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from re2llm.evaluation.bootstrap import Bootstrap


def gains(
    phases: Sequence[int], without: Sequence[float], given: Sequence[float]
) -> list[dict[str, Any]]:
    """Compare rewards on the same requests, for each phase and over all.

    Args:
        phases: Of each request.
        without: Reward without the autopilot.
        given: With it.

    Returns:
        For each phase, the last one over all (`phase` is `None`): the means, and the mean of the
        differences with its 95 % interval.
    """
    first, second = np.asarray(without), np.asarray(given)
    places = np.asarray(phases)
    rows: list[dict[str, Any]] = []
    for phase in [*sorted(set(places.tolist())), None]:
        among = np.ones(len(places), dtype=np.bool_) if phase is None else places == phase
        found = Bootstrap().difference(second[among], first[among])
        rows.append(
            {
                "phase": phase,
                "requests": int(among.sum()),
                "without": round(float(first[among].mean()), 4),
                "with": round(float(second[among].mean()), 4),
                "difference": round(found.mean, 4),
                "ci95": found.ends,
            }
        )
    return rows


def smoothed(rewards: Sequence[float], width: int) -> tuple[list[int], list[float]]:
    """Return means over windows of requests that follow each other.

    Returns:
        The middle of each window, and its mean.
    """
    places = range(0, max(len(rewards) - width, 0) + 1, max(width // 4, 1))
    return (
        [place + width // 2 for place in places],
        [float(np.mean(rewards[place : place + width])) for place in places],
    )


def overspent(days: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the days on which more was spent than may be."""
    return [
        day["day"]
        for day in days
        if (day["max_cost"] is not None and day["cost"] > day["max_cost"])
        or (day["max_llm_calls"] is not None and day["llm_calls"] > day["max_llm_calls"])
    ]
