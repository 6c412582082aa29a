"""What the report says about its gains, and about the model compared with the first stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Floats, Ints
from ...records import counted
from ..bootstrap import Bootstrap, are_one
from ..experiment import Row
from .comparison import gains_over

FIRST_STAGE = "first-stage"
"""Name of the row that ranks without a model."""


@dataclass(frozen=True, slots=True)
class Gain:
    """One mean difference in NDCG@10, with what it is averaged over.

    Attributes:
        name: What is compared with what.
        over: The sessions that it averages over.
        mean: The difference.
        interval: Its 95 % interval in words; empty if it is not known.
    """

    name: str
    over: str
    mean: float
    interval: str = ""


def policy_gains(
    row: Row,
    without: Row,
    metrics: Mapping[str, float] | None,
    *,
    groups: Ints | None = None,
    seed: int,
) -> list[Gain]:
    """Name each gain of a policy over no hint by the sessions that it averages over.

    Args:
        metrics: The metrics of the active release, if it is the policy's.
        groups: Which sessions belong together, from `session_groups`.
    """
    gains = gains_over(row, without)
    hinted = np.array([hint is not None for hint in row.hints], dtype=bool)
    name = f"{row.name} over no hint"
    found = [_gain(name, f"all {counted(len(gains), 'evaluated session')}", gains, groups, seed)]
    if hinted.any() and not hinted.all():
        over = f"the {int(hinted.sum()):,} of them in which it chose a hint"
        own = None if groups is None else groups[hinted]
        found.append(_gain(name, over, gains[hinted], own, seed))
    if metrics is not None and "gain" in metrics:
        validated = counted(int(metrics.get("validation_sessions", 0)), "validation session")
        sessions = f"{validated}, in training"
        found.append(Gain(name, sessions, float(metrics["gain"])))
    return found


def over_first_stage(rows: Sequence[Row], *, groups: Ints | None = None, seed: int) -> list[Gain]:
    """Return what each policy adds to the first stage; empty unless its row was asked for.

    Args:
        groups: Which sessions belong together, from `session_groups`.
    """
    first = next((row for row in rows if row.name == FIRST_STAGE), None)
    if first is None:
        return []
    over = f"all {counted(len(first.ranks), 'evaluated session')}"
    return [
        _gain(f"{row.name} over {FIRST_STAGE}", over, gains_over(row, first), groups, seed)
        for row in rows
        if row.kind == "policy"
    ]


def _gain(name: str, over: str, gains: Floats, groups: Ints | None, seed: int) -> Gain:
    interval = Bootstrap(seed=seed, groups=groups).mean(gains)
    words = f"{interval.low:+.3f} to {interval.high:+.3f}"
    return Gain(name, over, interval.mean, "unknown" if are_one(gains, groups) else words)
