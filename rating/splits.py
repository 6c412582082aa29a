"""Divides reviews into what may be learnt from and the ratings to predict.

The history of a test rating comes from the *training* side, and the averages beside it know
nothing of the test ratings; the papers' public code got both wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import InputError
from ..records import RatingScale, RatingTask, Review
from .reviews import ReviewHistory

SplitRule = Literal["last", "users"]
"""`last` leaves the last review of every history out; `users` holds out a share of the users and
predicts the last review of theirs."""


@dataclass(frozen=True, slots=True)
class RatingCase:
    """One rating to predict.

    Attributes:
        history: The same user's earlier reviews, oldest first, at least one.
        review: What the user wrote then; its rating is the truth.
    """

    history: tuple[Review, ...]
    review: Review


@dataclass(frozen=True, slots=True)
class ReviewSplit:
    """What may be learnt from, and what is to be predicted.

    Attributes:
        known: Every review that training and averages may see, each once.
        train: Ratings to train on: every review of the training histories but their first.
        test: Ratings to predict, none of them known.
    """

    known: tuple[Review, ...]
    train: tuple[RatingCase, ...]
    test: tuple[RatingCase, ...]


def split_reviews(
    histories: Sequence[ReviewHistory],
    rule: SplitRule = "last",
    *,
    share: float = 0.3,
    seed: int = 0,
) -> ReviewSplit:
    """Divide reviews.

    Args:
        histories: By user.
        rule: What is held out.
        share: Of the users that `users` holds out.
        seed: Which users those are.

    Raises:
        InputError: Nothing is left to train on or to predict.
    """
    held_users = _held_users(histories, share, seed) if rule == "users" else None
    tested = [h for h in histories if held_users is None or h.user in held_users]
    test = [RatingCase(h.reviews[:-1], h.reviews[-1]) for h in tested if len(h.reviews) > 1]
    hidden = {_key(case.review) for case in test}
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
            f"leave {len(train)} ratings to train on and {len(test)} to predict.",
            "Users need three reviews each, and `users` some to hold out.",
        )
    clean = [_without(case, hidden) for case in test]
    return ReviewSplit(
        tuple(known.values()), tuple(train.values()), tuple(case for case in clean if case.history)
    )


class ReviewTable:
    """Turns cases into rating tasks, with other people's reviews of the item and both means.

    Attributes:
        scale: The ratings that can be given.
    """

    def __init__(self, known: Sequence[Review], scale: RatingScale) -> None:
        """Index the reviews.

        Args:
            known: From a `ReviewSplit`.
            scale: Of the data.
        """
        self.scale = scale
        self._by_item: defaultdict[str, list[Review]] = defaultdict(list)
        for review in sorted(known, key=lambda review: review.time):
            self._by_item[review.item.id].append(review)

    def task(self, case: RatingCase) -> RatingTask:
        """Return a case as the model may see it: without its rating and its text.

        Args:
            case: The rating to predict. None of its user's own reviews stands beside the item.
        """
        review = case.review
        others = [r for r in self._by_item.get(review.item.id, ()) if r.user != review.user]
        return RatingTask(
            history=case.history,
            item=review.item,
            item_reviews=tuple(others),
            user_mean=_mean(case.history),
            item_mean=_mean(others),
            scale=self.scale,
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


def _mean(reviews: Sequence[Review]) -> float | None:
    return sum(review.rating for review in reviews) / len(reviews) if reviews else None
