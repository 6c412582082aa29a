"""The learning curve of a training: one line of JSON for each update, and a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import fmean, pvariance, stdev
from typing import Any

from ...runtime.progress import Progress

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
"""The metrics that are kept: TRL's names and ours."""

_PANELS = (
    ("reward", "mean reward"),
    ("valid", "share of valid answers"),
    ("mae", "mean absolute error"),
    ("length", "tokens per answer"),
)
_WINDOW = 10
"""Updates of a running mean."""
_AT_EACH_END = 5
"""Updates of which `reward_gain` compares the mean."""


class CurveWriter:
    """Rewrites `curve.jsonl` at each update, so that a resumed training leaves no gaps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stages: dict[str, list[dict[str, Any]]] = {}
        for point in read_curve(path):
            self._stages.setdefault(point["stage"], []).append(point)

    def write(self, stage: str, history: Sequence[Mapping[str, Any]]) -> None:
        """Replace the points of a stage by the trainer's log, which starts at its first update."""
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


def watcher(stage: str, curve: CurveWriter, progress: Progress | None = None) -> Any:
    """Return a callback of transformers that writes the curve and reports the progress."""
    base = import_module("transformers").TrainerCallback

    class Watcher(base):
        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if state.is_world_process_zero:
                curve.write(stage, [_finite(entry) for entry in state.log_history])

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if progress is not None and state.is_world_process_zero:
                progress(stage, state.global_step, state.max_steps)

    return Watcher()


def read_curve(path: Path) -> list[dict[str, Any]]:
    """Return the points of `curve.jsonl`, none if there is no such file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def grpo_points(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the points of the reinforcement, which has rewards."""
    return [point for point in points if point["stage"] == "grpo"]


def with_reward(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the updates on new answers, all but those that use a batch again."""
    return [point for point in points if "reward" in point]


def reward_gain(points: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return by how much the mean reward of the last updates of GRPO is above that of the first.

    The interval is Welch's for two means of updates, which differ in their prompts.

    Args:
        points: Points of GRPO alone; see `grpo_points`.

    Returns:
        `updates` (at each end), `first`, `last`, `diff` and `ci95`, or `None` with too few updates
        for two ends.
    """
    rewards = [point["reward"] for point in with_reward(points)]
    if len(rewards) < 2 * _AT_EACH_END:
        return None
    first, last = rewards[:_AT_EACH_END], rewards[-_AT_EACH_END:]
    low, high = _welch(last, first)
    before, after = fmean(first), fmean(last)
    return {
        "updates": _AT_EACH_END,
        "first": round(before, 4),
        "last": round(after, 4),
        "diff": round(after - before, 4),
        "ci95": [round(low, 4), round(high, 4)],
    }


def _welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    if pvariance(a) + pvariance(b) == 0:
        return fmean(a) - fmean(b), fmean(a) - fmean(b)
    test: Any = import_module("scipy.stats").ttest_ind(a, b, equal_var=False)
    low, high = test.confidence_interval(0.95)
    return float(low), float(high)


def draw_curve(points: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw reward, validity, error and length of the GRPO updates: running means, 95 % intervals.

    Without such updates nothing is drawn. The suffix of the path decides the format.
    """
    points = grpo_points(points)
    if not points:
        return
    matplotlib = import_module("matplotlib")
    matplotlib.use("Agg")
    figure, axes = import_module("matplotlib.pyplot").subplots(
        2, 2, figsize=(9, 5.5), sharex=True, layout="constrained"
    )
    for axis, (name, label) in zip(axes.flat, _PANELS, strict=True):
        steps = [point["step"] for point in points if name in point]
        values = [point[name] for point in points if name in point]
        axis.plot(steps, values, color="tab:blue", alpha=0.3, linewidth=1)
        running = _running(values)
        axis.plot(steps, running, color="tab:blue", linewidth=2)
        error = _running_error(values)
        axis.fill_between(
            steps,
            [mean - 1.96 * each for mean, each in zip(running, error, strict=True)],
            [mean + 1.96 * each for mean, each in zip(running, error, strict=True)],
            color="tab:blue",
            alpha=0.15,
            linewidth=0,
        )
        axis.set_title(label, loc="left", fontsize=10)
        axis.grid(alpha=0.3)
        if name == "valid":
            axis.set_ylim(top=1.002)  # the interval may reach above what a share can be
    for axis in axes[-1]:
        axis.set_xlabel("GRPO update")
    figure.suptitle(title)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    import_module("matplotlib.pyplot").close(figure)


def _finite(entry: dict[str, Any]) -> dict[str, float]:
    return {k: v for k, v in entry.items() if isinstance(v, int | float) and math.isfinite(v)}


def _running_error(values: Sequence[float]) -> list[float]:
    """Return the standard error of each running mean; 0 for a single update."""
    errors: list[float] = []
    for end in range(1, len(values) + 1):
        shown = values[max(0, end - _WINDOW) : end]
        errors.append(stdev(shown) / len(shown) ** 0.5 if len(shown) > 1 else 0.0)
    return errors


def _running(values: Sequence[float]) -> list[float]:
    return [
        sum(values[max(0, end - _WINDOW) : end]) / min(_WINDOW, end)
        for end in range(1, len(values) + 1)
    ]
