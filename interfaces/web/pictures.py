"""Small pictures: the coordinates of their lines. Templates draw them as SVG without styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...rank_metrics import BEYOND_DOUBT
from .rendering import signed

_LEAST = 0.01
"""Smallest scale of a picture, as a gain."""
WIDTH = 100


@dataclass(frozen=True, slots=True)
class GainPicture:
    """A mean gain with its interval, on an axis whose middle is no gain.

    Attributes:
        low: The start of the interval, from 0 to `WIDTH`.
        mean: Coordinate of the mean.
        high: The end of the interval.
        tone: `good` or `bad` where the whole interval is on one side, else `muted`.
        words: The same in words.
    """

    low: float
    mean: float
    high: float
    tone: str
    words: str


def gain_picture(mean: float, error: float, trials: int, most: float) -> GainPicture | None:
    """Return the picture of a hint's gain, or `None` where it was not tried.

    Args:
        mean: Mean gain in NDCG@10.
        error: Its standard error.
        trials: Sessions on which it was tried.
        most: The gain at the right end, from `largest`.
    """
    if trials == 0:
        return None
    low, high = mean - BEYOND_DOUBT * error, mean + BEYOND_DOUBT * error
    words = f"Gain {signed(mean)}, 90 % interval {signed(low)} to {signed(high)}"
    return interval_picture(mean, low, high, most, words)


def interval_picture(mean: float, low: float, high: float, most: float, words: str) -> GainPicture:
    """Return the picture of a mean with its interval, from `-most` to `most`."""
    tone = "good" if low > 0 else "bad" if high < 0 else "muted"
    return GainPicture(_place(low, most), _place(mean, most), _place(high, most), tone, words)


def largest(gains: Sequence[tuple[float, float]]) -> float:
    """Return the gain at the end of an axis on which all intervals of a page fit.

    Args:
        gains: Means and standard errors.
    """
    return max([_LEAST, *(abs(mean) + BEYOND_DOUBT * error for mean, error in gains)])


def _place(value: float, most: float) -> float:
    return round((value / most + 1) / 2 * (WIDTH - 8) + 4, 1)


@dataclass(frozen=True, slots=True)
class Curve:
    """Lines over a common axis.

    Attributes:
        paths: The path of each line, in SVG's notation.
        zero: Height of 0; `None` where it is not between the ends.
        low: The lowest value.
        high: The highest.
        last: The last point's place on the axis.
    """

    paths: list[str]
    zero: float | None
    low: float
    high: float
    last: float


CURVE_WIDTH, CURVE_HEIGHT = 600, 180


def curve(places: Sequence[float], lines: Sequence[Sequence[float | None]]) -> Curve | None:
    """Return lines to draw; `None` where there are fewer than two points.

    Args:
        places: The places of the points on the axis, shape `[P]`.
        lines: The values of each line, shape `[L, P]`; `None` leaves a point out.
    """
    values = [value for line in lines for value in line if value is not None]
    if len(places) <= 1 or not values:  # a line has two ends
        return None
    low, high = min(values), max(values)
    span, width = (high - low) or 1.0, (places[-1] - places[0]) or 1.0

    def height(value: float) -> float:
        return round(CURVE_HEIGHT - 14 - (value - low) / span * (CURVE_HEIGHT - 28), 1)

    paths: list[str] = []
    for line in lines:
        points = [
            f"{round((place - places[0]) / width * CURVE_WIDTH, 1)} {height(value)}"
            for place, value in zip(places, line, strict=True)
            if value is not None
        ]
        paths.append("M" + " L".join(points) if points else "")
    zero = height(0) if low <= 0 <= high else None
    return Curve(paths, zero, low, high, places[-1])
