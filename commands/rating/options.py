"""Options that the commands about ratings share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InputError
from ...rating import SAMPLE
from ...records import RatingScale
from ..console import note
from ..options import SeedOption

if TYPE_CHECKING:
    from ...rating.corpus import ReviewSource

__all__ = [
    "SAMPLE",
    "ReviewsOption",
    "ScaleOption",
    "SeedOption",
    "SkipOption",
    "SplitOption",
    "review_source",
]

_SCALE = re.compile(
    r"\s{0,9}([0-9]{1,6}(?:\.[0-9]{1,2})?)\s{0,9}-\s{0,9}([0-9]{1,6}(?:\.[0-9]{1,2})?)\s{0,9}"
)

ReviewsOption = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        help="Reviews as JSONL, a folder of MovieLens, or `sample` for the corpus in the package.",
    ),
]
SplitOption = Annotated[
    str,
    typer.Option(
        metavar="last|users|mixed",
        help="last: hold out each history's last review; users: hold out whole users; mixed: hold "
        "out each history's last review, and train on 70 % of the users.",
    ),
]
ScaleOption = Annotated[
    str | None,
    typer.Option(
        metavar="RANGE",
        help="The lowest and the highest rating, as 1-5. Default: those of MovieLens, or of the "
        "reviews.",
    ),
]
SkipOption = Annotated[bool, typer.Option("--skip-malformed", help="Skip malformed rows.")]


def review_source(
    path: str,
    *,
    split: str = "last",
    scale: str | None = None,
    skip_malformed: bool,
    seed: int | None = None,
) -> ReviewSource:
    """Return the reviews that the options name; malformed rows are printed as notes.

    Raises:
        InputError: The scale cannot be read.
    """
    from ...rating.corpus import ReviewSource
    from ...settings import get_settings

    return ReviewSource(
        path=path,
        split=split,
        seed=get_settings().seed if seed is None else seed,
        scale=_scale(scale),
        skip_malformed=skip_malformed,
        warn=lambda remark: note(f"note: {remark}"),
    )


def _scale(given: str | None) -> RatingScale | None:
    if given is None:
        return None
    ends = _SCALE.fullmatch(given)
    if ends is None or not float(ends[1]) < float(ends[2]):
        problem = f"{given!r} is not the lowest and the highest rating."
        raise InputError("--scale", problem, "Write LOW-HIGH, as 1-5 or 0.5-5.")
    return RatingScale(float(ends[1]), float(ends[2]))
