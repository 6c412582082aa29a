"""The report's pictures as self-contained SVG that follows the page's colours."""

# matplotlib leaves many types open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from .comparison import HintUse
from .sizes import SizePoint

_INK = "#010203"
"""Stands for the page's text colour, which depends on the reader's light or dark mode."""
_BLUE, _ORANGE = "#3b82c4", "#d97a1f"
_WIDTH = 4.8
_MOST_BARS = 20


def learning_curve(metrics: Mapping[str, Any]) -> str:
    """Draw how a release's rewards grew in training, from its metrics with their `curve`."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  # an optional extra

    curve: Sequence[Mapping[str, Any]] = metrics["curve"]

    def draw(axes: Any) -> None:
        for key, label, colour in (
            ("training_reward", "in training, sampled", _ORANGE),
            ("validation_reward", "validation, likeliest", _BLUE),
        ):
            known = [(p["update"], p[key]) for p in curve if p[key] is not None]
            axes.plot(*zip(*known, strict=True), color=colour, label=label)
        axes.axhline(metrics["static_gain"], color=_INK, lw=1, ls=":", label="best single hint")
        axes.axvline(metrics["update"], color=_INK, lw=0.8, alpha=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("update (the line marks the checkpoint that was kept)")
        axes.set_ylabel("gain in NDCG@10\na training session")
        axes.legend(frameon=False)

    return _svg("learning", "Rewards by update", draw)


def gain_by_size(name: str, label: str, points: Sequence[SizePoint]) -> str:
    """Draw what is gained by size, with 95 % bands."""

    def draw(axes: Any) -> None:
        sizes = [point.size for point in points]
        for values, what, colour, marker in (
            ([p.ppo for p in points], "chosen by PPO", _BLUE, "o"),
            ([p.static for p in points], "best single hint", _ORANGE, "s"),
        ):
            means, lows, highs = zip(*values, strict=True)
            axes.plot(sizes, means, color=colour, marker=marker, ms=4, label=what)
            axes.fill_between(sizes, lows, highs, color=colour, alpha=0.15, lw=0)
        axes.axhline(0, color=_INK, lw=0.8, alpha=0.5)
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel(label)
        axes.set_ylabel("gain in NDCG@10\nan evaluated session")
        axes.legend(frameon=False)

    return _svg(name, f"Gain by {label}", draw)


def hint_bars(uses: Sequence[HintUse]) -> str:
    """Draw how often each hint was chosen, and its gain there; most chosen first."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  # an optional extra

    shown = list(uses[:_MOST_BARS])

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        places = range(len(shown))
        left.barh(places, [use.sessions for use in shown], color=_BLUE)
        left.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        left.set_yticks(places, [use.name for use in shown])
        left.invert_yaxis()
        left.set_xlabel("sessions that got it")
        gains = [use.gain for use in shown]
        # Where all gains are equal, their mean may lie beside the interval by a rounding error.
        reaches = [[u.gain - u.low for u in shown], [u.high - u.gain for u in shown]]
        errors = np.maximum(reaches, 0)
        right.errorbar(gains, places, xerr=errors, fmt="o", ms=4, color=_ORANGE)
        right.axvline(0, color=_INK, lw=0.8, alpha=0.5)
        right.set_xlabel("gain in NDCG@10\na session that got it")
        right.xaxis.set_major_locator(MaxNLocator(4))
        right.tick_params(left=False)

    height = 1.0 + 0.25 * len(shown)
    return _svg("hints", "How often each hint was chosen, and its gain", draw, height, whole=True)


def _svg(
    name: str,
    label: str,
    draw: Callable[[Any], None],
    height: float = 3.2,
    *,
    whole: bool = False,
) -> str:
    import matplotlib as mpl  # noqa: PLC0415  # an optional extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    inked = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK
    )
    style: Any = {
        **inked,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 9,
        "svg.fonttype": "none",
        "svg.hashsalt": name,  # ids of two pictures must not meet on one page
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure if whole else figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace(_INK, "currentColor")
    drawn = re.sub(r'(<svg[^<>]*?) width="[^"]*"', r"\1", drawn, count=1)
    drawn = re.sub(r'(<svg[^<>]*?) height="[^"]*"', r"\1", drawn, count=1)
    before, _, rest = drawn.partition("<metadata>")
    drawn = before + rest.partition("</metadata>")[2]
    return drawn.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
