"""An autopilot's run as a picture: reward over time, what it did when, and what it spent."""

# matplotlib leaves many types open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from re2llm.evaluation.drawing import require_matplotlib

from .summary import smoothed

_PARTS = 40
"""Windows over which reward is averaged."""
_COLORS = {
    "learn": "tab:green",
    "train": "tab:purple",
    "roll_out": "tab:orange",
    "promoted": "black",
    "taken_back": "tab:red",
    "stop_rollout": "tab:brown",
    "hold": "tab:red",
    "resume": "tab:blue",
}
_NAMES = {
    "learn": "learns",
    "train": "trains",
    "roll_out": "rollout starts",
    "promoted": "promoted",
    "taken_back": "taken back",
    "stop_rollout": "undecided",
    "hold": "held",
    "resume": "resumed",
}


def draw_run(document: Mapping[str, Any], path: Path) -> None:
    """Draw reward with and without an autopilot, its steps, and its spending a day.

    Args:
        document: With `rewards` (`with`, `without`), `phases`, `marks`, `days` and `day_length`.
        path: A PNG file.

    Raises:
        InputError: matplotlib is missing.
    """
    require_matplotlib("figure")
    figure = import_module("matplotlib.figure").Figure(figsize=(10, 6.4), layout="constrained")
    above, marks, below = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [5, 2.2, 1.6]}
    )
    rewards: Mapping[str, list[float]] = document["rewards"]
    count = len(rewards["with"])
    for name, style in (("without", "tab:gray"), ("with", "tab:blue")):
        across, up = smoothed(rewards[name], max(count // _PARTS, 1))
        above.plot(across, up, color=style, label=f"{name} autopilot")
    for end in document["phase_ends"]:
        for axis in (above, marks, below):
            axis.axvline(end, color="tab:gray", linewidth=1, linestyle=":")
    above.set(ylabel=f"NDCG@10, mean of {max(count // _PARTS, 1):,} requests")
    above.legend(loc="lower left", frameon=False)
    kinds = [kind for kind in _NAMES if any(mark["what"] == kind for mark in document["marks"])]
    for row, kind in enumerate(reversed(kinds)):
        places = [mark["request"] for mark in document["marks"] if mark["what"] == kind]
        marks.scatter(places, [row] * len(places), color=_COLORS[kind], marker="|", s=80)
    marks.set_yticks(range(len(kinds)), [_NAMES[kind] for kind in reversed(kinds)], fontsize=8)
    marks.set_ylim(-0.7, len(kinds) - 0.3)
    days, length = document["days"], document["day_length"]
    money = document["limit"]["cost"] is not None
    spent = [day["cost"] if money else day["llm_calls"] for day in days]
    below.bar(
        [length * (day["number"] + 0.5) for day in days], spent, 0.8 * length, color="tab:green"
    )
    limit = document["limit"]["cost"] if money else document["limit"]["llm_calls"]
    below.axhline(limit, color="tab:red", linewidth=1)
    below.set(ylabel="USD a day" if money else "calls a day", xlabel="request")
    below.set_xlim(0, count)
    below.xaxis.set_major_formatter("{x:,.0f}")
    for axis in (above, marks, below):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110, metadata={"Software": None})
