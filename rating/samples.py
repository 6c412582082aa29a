"""Self-consistency: one rating from several sampled answers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean


def mean_of_samples(ratings: Sequence[float | None]) -> float | None:
    """Return the mean of the valid ratings, `None` if there is none.

    The mean of samples estimates the model's expected rating, which errs less than its most likely
    one where several are about as likely.
    """
    valid = [rating for rating in ratings if rating is not None]
    return fmean(valid) if valid else None
