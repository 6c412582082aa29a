"""The course of a training: a line of JSON an update, and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

_KEPT: Mapping[str, str] = {
    "loss": "loss",
    "mean_token_accuracy": "token_accuracy",
    "reward": "reward",
    "reward_std": "reward_std",
    "valid": "valid",
    "mae": "mae",
    "completions/mean_length": "length",
    "entropy": "entropy",
    "clip_ratio/region_mean": "clipped",
    "learning_rate": "learning_rate",
}
"""TRL's names of what is kept, and ours."""

_PANELS = (
    ("reward", "mean reward"),
    ("valid", "share of valid answers"),
    ("mae", "mean absolute error"),
    ("length", "tokens an answer"),
)


class CurveWriter:
    """Writes `curve.jsonl`, anew at each update, so that a resumed training leaves no gaps.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stages: dict[str, list[dict[str, Any]]] = {}
        for point in read_curve(path):
            self._stages.setdefault(point["stage"], []).append(point)

    def write(self, stage: str, history: Sequence[Mapping[str, Any]]) -> None:
        """Replace a stage's points.

        Args:
            stage: `sft` or `grpo`.
            history: The trainer's log from its first update on.
        """
        self._stages[stage] = [
            {"stage": stage, "step": int(entry["step"])}
            | {ours: round(entry[name], 6) for name, ours in _KEPT.items() if name in entry}
            for entry in history
            if "loss" in entry
        ]
        lines = [json.dumps(point) for points in self._stages.values() for point in points]
        part = self.path.with_suffix(".part")
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        part.replace(self.path)


def read_curve(path: Path) -> list[dict[str, Any]]:
    """Return the points of a curve, none if it has not begun.

    Args:
        path: Of `curve.jsonl`.
    """
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def draw_curve(points: Sequence[Mapping[str, Any]], path: Path, title: str) -> bool:
    """Draw reward, validity, error and length of the GRPO updates, with a running mean.

    Args:
        points: From `read_curve`.
        path: Of the picture; its suffix says the format.
        title: Stands above.

    Returns:
        Whether there was anything to draw.
    """
    points = [point for point in points if point["stage"] == "grpo"]
    if not points:
        return False
    matplotlib = import_module("matplotlib")
    matplotlib.use("Agg")
    figure, axes = import_module("matplotlib.pyplot").subplots(
        2, 2, figsize=(9, 5.5), sharex=True, layout="constrained"
    )
    for axis, (name, label) in zip(axes.flat, _PANELS, strict=True):
        steps = [point["step"] for point in points if name in point]
        values = [point[name] for point in points if name in point]
        axis.plot(steps, values, color="tab:blue", alpha=0.3, linewidth=1)
        axis.plot(steps, _running(values), color="tab:blue", linewidth=2)
        axis.set_title(label, loc="left", fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("GRPO update")
    figure.suptitle(title)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    import_module("matplotlib.pyplot").close(figure)
    return True


def _running(values: Sequence[float], window: int = 10) -> list[float]:
    return [
        sum(values[max(0, end - window) : end]) / min(window, end)
        for end in range(1, len(values) + 1)
    ]
