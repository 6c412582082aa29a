"""What an answer of the rating predictor is worth: its format, and how near the rating is.

Source: RecZero, arXiv 2510.23077, section 3.2. Two parameterisations: the paper's, and that of its
public code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..records import RatingScale


@dataclass(frozen=True, slots=True)
class RewardScheme:
    """How much format and rating count.

    Attributes:
        format: Earned by a valid answer; as much is lost by an invalid one.
        full_error: The error in points at which the rating earns nothing; `None` takes the width of
            the scale. Beyond it, a rating costs.
    """

    format: float = 0.5
    full_error: float | None = None


REWARD_SCHEMES: Mapping[str, RewardScheme] = MappingProxyType(
    {"paper": RewardScheme(0.5, None), "code": RewardScheme(1.0, 2.0)}
)
"""`paper`: ±0.5 and 1 - |error| / width of the scale; `code`: ±1 and 1 - |error| / 2."""


def format_reward(rating: float | None, scheme: RewardScheme) -> float:
    """Return the reward for the format.

    Args:
        rating: Of a valid answer, else `None`.
        scheme: The parameterisation.
    """
    return -scheme.format if rating is None else scheme.format


def answer_reward(
    rating: float | None, truth: float, scale: RatingScale, scheme: RewardScheme
) -> float:
    """Return the reward for the rating: 1 if it is right, 0 if there is no valid answer.

    Args:
        rating: Of a valid answer, else `None`.
        truth: The rating that the user gave.
        scale: The ratings that can be given, of the data.
        scheme: The parameterisation.
    """
    if rating is None:
        return 0.0
    full_error = scale.width if scheme.full_error is None else scheme.full_error
    return 1.0 - abs(truth - rating) / full_error
