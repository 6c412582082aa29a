"""What an evaluation compares unless it is asked for something else."""

from __future__ import annotations

from ..data.negatives import CANDIDATES

DEFAULT_BASELINES = ("random", "popularity", "vsknn", "sum", "first-stage")
"""Those that need no extra."""

NEGATIVES = CANDIDATES - 1
"""Negative items that are drawn for each target, for sessions without candidates."""
