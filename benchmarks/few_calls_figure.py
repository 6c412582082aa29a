"""Draws what `benchmarks.few_calls` measures."""

# matplotlib leaves many types open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw NDCG@10 in the test sessions by model calls, on a logarithmic scale.

    Args:
        rows: From `measured`.
        path: Of the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    places: list[tuple[float, float]] = []
    for limit in dict.fromkeys(row["limit"] for row in rows):
        same = [row for row in rows if row["limit"] == limit]
        calls = [row["calls"] for row in same]
        ndcg = [row["ndcg"] for row in same]
        places.append((float(np.mean(calls)), float(np.mean(ndcg))))
        axes.scatter(calls, ndcg, s=16, color="#9bb7d4", zorder=2)
    places.sort()
    axes.plot(*zip(*places, strict=True), marker="o", color="#1f4e79", zorder=3, label="PPO")
    axes.axhline(rows[0]["static"], color="#b55d3c", linestyle="--", label="static: the best hint")
    stops = next((row["stops_at"] for row in rows if row.get("stops_at")), None)
    if stops:
        axes.axvline(stops, color="#777777", linestyle=":", label="train stops by itself")
    axes.set_xscale("log")
    axes.set_xticks([place for place, _ in places], [f"{place:,.0f}" for place, _ in places])
    axes.minorticks_off()
    axes.set_xlabel("model calls of training")
    axes.set_ylabel("NDCG@10, test sessions")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
