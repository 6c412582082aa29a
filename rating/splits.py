"""Splits reviews into known ones, which training may use, and ratings to predict.

The history of a test rating comes from the *training* side, and its means leave out all test
ratings; the papers' public code got both wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..errors import InputError
from ..records import Review, counted
from .reviews import ReviewHistory

SplitRule = Literal["last", "users", "mixed"]
"""`last` holds out the last review of every history; `users` holds out a share of the users, and
the ratings to predict are their last ones; `mixed` holds out the last review of every history, and
keeps a share of the users out of training."""


@dataclass(frozen=True, slots=True)
class RatingCase:
    """One rating to predict.

    Attributes:
        history: The same user's earlier reviews, oldest first, at least one.
        review: The review whose rating is the truth.
    """

    history: tuple[Review, ...]
    review: Review

    @property
    def key(self) -> tuple[str, str]:
        """The ids of user and item."""
        return _key(self.review)


@dataclass(frozen=True, slots=True)
class ReviewSplit:
    """Known reviews, and ratings to train on and to predict.

    Attributes:
        known: Every review that training and means may use, each once.
        train: Ratings to train on: all reviews of the training histories except the first ones.
        test: Ratings to predict, none of them known.
    """

    known: tuple[Review, ...]
    train: tuple[RatingCase, ...]
    test: tuple[RatingCase, ...]


def split_reviews(
    histories: Sequence[ReviewHistory],
    rule: str = "last",
    *,
    share: float = 0.3,
    seed: int = 0,
) -> ReviewSplit:
    """Split reviews.

    Args:
        rule: A `SplitRule`.
        share: Share of the users that `users` and `mixed` hold out, between 0 and 1.

    Raises:
        InputError: There is no such rule, or nothing is left to train on or to predict.
    """
    if rule not in get_args(SplitRule):
        raise InputError("split", f"There is no split {rule!r}.", "Choose last, users or mixed.")
    held_users = None if rule == "last" else _held_users(histories, share, seed)
    tested = [h for h in histories if held_users is None or rule == "mixed" or h.user in held_users]
    test = [RatingCase(h.reviews[:-1], h.reviews[-1]) for h in tested if len(h.reviews) > 1]
    hidden = {case.key for case in test}
    known: dict[tuple[str, str], Review] = {}
    train: dict[tuple[str, str], RatingCase] = {}
    for history in histories:
        # A user with several histories may hold a test review of one in another.
        reviews = tuple(review for review in history.reviews if _key(review) not in hidden)
        known.update({_key(review): review for review in reviews})
        if held_users is not None and history.user in held_users:
            continue
        for place in range(1, len(reviews)):
            train[_key(reviews[place])] = RatingCase(reviews[:place], reviews[place])
    if not train or not test:
        raise InputError(
            "reviews",
            f"leave {counted(len(train), 'rating')} to train on and {len(test)} to predict.",
            "Each user needs three reviews, and `users` needs users to hold out.",
        )
    clean = [_without(case, hidden) for case in test]
    return ReviewSplit(
        tuple(known.values()), tuple(train.values()), tuple(case for case in clean if case.history)
    )


def _held_users(histories: Sequence[ReviewHistory], share: float, seed: int) -> frozenset[str]:
    if not 0 < share < 1:
        raise InputError("share", f"is {share}.", "Use a share of the users between 0 and 1.")
    users = sorted({history.user for history in histories})
    order: list[int] = np.random.default_rng(seed).permutation(len(users)).tolist()
    return frozenset(users[place] for place in order[: round(len(users) * share)])


def _without(case: RatingCase, hidden: set[tuple[str, str]]) -> RatingCase:
    kept = tuple(review for review in case.history if _key(review) not in hidden)
    return RatingCase(kept, case.review)


def _key(review: Review) -> tuple[str, str]:
    return review.user, review.item.id
