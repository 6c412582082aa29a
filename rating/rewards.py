"""Rewards for an answer of the rating predictor: for its format, and for the error of its rating.

Source: RecZero, arXiv 2510.23077, section 3.2. Two parameterisations: the paper's, and that of its
public code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..records import RatingScale

ReadRating = Callable[[str], float | None]
"""Returns the rating of a valid answer, else `None`."""


@dataclass(frozen=True, slots=True)
class RewardScheme:
    """How much format and rating count.

    Attributes:
        format: Earned by a valid answer, lost by an invalid one.
        full_error: The error in points at which the rating earns 0; `None` takes the width of the
            scale. A larger error earns less than 0.
    """

    format: float = 0.5
    full_error: float | None = None


REWARD_SCHEMES: Mapping[str, RewardScheme] = MappingProxyType(
    {"paper": RewardScheme(0.5, None), "code": RewardScheme(1.0, 2.0)}
)
"""`paper`: ±0.5 and 1 - |error| / width of the scale; `code`: ±1 and 1 - |error| / 2."""


def format_reward(rating: float | None, scheme: RewardScheme) -> float:
    """Return the reward for the format; `rating` is `None` for an invalid answer."""
    return -scheme.format if rating is None else scheme.format


def answer_reward(
    rating: float | None, truth: float, scale: RatingScale, scheme: RewardScheme
) -> float:
    """Return the reward for the rating: 1 if it is right, 0 for an invalid answer."""
    if rating is None:
        return 0.0
    full_error = scale.width if scheme.full_error is None else scheme.full_error
    return 1.0 - abs(truth - rating) / full_error


def reward_functions(
    read: ReadRating, scale: RatingScale, scheme: RewardScheme
) -> list[Callable[..., list[float]]]:
    """Return both rewards as functions for TRL, which adds them up.

    The second one also logs the share of valid answers and the mean absolute error, in which an
    invalid answer counts as in evaluations: as the rating that is furthest from the truth.
    """

    def format(completions: list[Any], **_: Any) -> list[float]:  # noqa: A001
        return [format_reward(rating, scheme) for rating in ratings_of(completions)]

    def answer(
        completions: list[Any],
        truth: list[float],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        pairs = list(zip(ratings_of(completions), truth, strict=True))
        errors = [
            scale.largest_error(y) if rating is None else abs(rating - y) for rating, y in pairs
        ]
        log_metric("valid", sum(rating is not None for rating, _ in pairs) / len(pairs))
        log_metric("mae", sum(errors) / len(errors))
        return [answer_reward(rating, y, scale, scheme) for rating, y in pairs]

    def ratings_of(completions: Sequence[Any]) -> list[float | None]:
        return [read(messages[-1]["content"] or "") for messages in completions]

    return [format, answer]
