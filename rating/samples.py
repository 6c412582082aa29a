"""Self-consistency: one rating from several sampled answers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ..errors import InputError


def mean_of_samples(ratings: Sequence[float | None]) -> float | None:
    """Return the mean of the valid ratings, `None` if there is none.

    The mean of samples estimates the model's expected rating, which errs less than its most likely
    one where several are about as likely.
    """
    valid = [rating for rating in ratings if rating is not None]
    return fmean(valid) if valid else None


def check_samples(count: int, temperature: float, field: str = "RE2LLM_RATE_SAMPLES") -> None:
    """Raise `InputError` about a field if several samples would all be the same answer."""
    if count > 1 and not temperature:
        raise InputError(
            field,
            f"is {count}, but at temperature 0 all answers are the same.",
            "Set RE2LLM_TEMPERATURE, to 1 for a trained rater.",
        )
