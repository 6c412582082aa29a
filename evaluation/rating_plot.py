"""The calibration of raters as a picture: users' mean rating at each predicted rating."""

# matplotlib leaves many types open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError
from .drawing import require_matplotlib

_KINDS = (".png", ".svg")
_LARGEST = 300
"""Area of the largest point, in square points."""


def check_plot(path: Path) -> None:
    """Raise `InputError` if no such picture can be drawn, before anything slow begins."""
    if path.suffix not in _KINDS:
        raise InputError("plot", f"{path} is no picture.", f"End it in {' or '.join(_KINDS)}.")
    if not path.parent.is_dir():
        raise InputError("plot", f"{path.parent} is not a folder.", "Name one that exists.")
    require_matplotlib("plot")


def draw_calibration(document: Mapping[str, Any], path: Path) -> None:
    """Draw one panel for each model: predicted ratings across, the users' mean up, with intervals.

    Args:
        document: A document from `summarise_ratings`.
        path: A PNG or SVG file; see `check_plot`.
    """
    models: Mapping[str, list[dict[str, Any]]] = document["calibration"]
    low, high = document["scale"]
    figure = import_module("matplotlib.figure").Figure(
        figsize=(4.2 * max(len(models), 1), 4.2), layout="constrained"
    )
    panels = figure.subplots(1, max(len(models), 1), squeeze=False)[0]
    for axis, (name, steps) in zip(panels, models.items(), strict=False):
        most = max((step["n"] for step in steps), default=1)
        axis.plot([low, high], [low, high], color="grey", linewidth=1, linestyle=":")
        for step in steps:
            across, (bottom, top) = step["predicted"], step["ci95"]
            axis.plot([across, across], [bottom, top], color="tab:blue", linewidth=1)
        axis.scatter(
            [step["predicted"] for step in steps],
            [step["actual"] for step in steps],
            s=[max(10.0, _LARGEST * step["n"] / most) for step in steps],
            color="tab:blue",
            alpha=0.6,
        )
        axis.set(xlim=(low, high), ylim=(low, high), xlabel="predicted", ylabel="given by users")
        axis.set_title(Path(name).name if "/" in name else name, fontsize=10)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120, metadata={"Software": None} if path.suffix == ".png" else None)
