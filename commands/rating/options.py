"""Options that the commands about ratings share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...rating import SAMPLE
from ..console import note

if TYPE_CHECKING:
    from ...rating.corpus import ReviewSource

__all__ = ["SAMPLE", "ReviewsOption", "SeedOption", "SkipOption", "SplitOption", "review_source"]

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
SkipOption = Annotated[bool, typer.Option("--skip-malformed", help="Skip malformed rows.")]
SeedOption = Annotated[int | None, typer.Option(metavar="N", help="Default: RE2LLM_SEED.")]


def review_source(
    path: str, *, split: str = "last", skip_malformed: bool, seed: int | None = None
) -> ReviewSource:
    """Return the reviews that the options name; malformed rows are printed as notes."""
    from ...rating.corpus import ReviewSource
    from ...settings import get_settings

    return ReviewSource(
        path=path,
        split=split,
        seed=get_settings().seed if seed is None else seed,
        skip_malformed=skip_malformed,
        warn=lambda remark: note(f"note: {remark}"),
    )
