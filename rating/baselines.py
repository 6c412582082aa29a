"""Rating predictors without an LLM: means, biases and matrix factorisation.

They learn from the known reviews alone; see `splits`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from statistics import fmean
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..records import RatingScale, Review

Pairs = Sequence[tuple[str, str]]
"""Users and items whose ratings are wanted."""
Predictions = npt.NDArray[np.float64]
"""One rating a pair, shape `(pairs,)`."""
RatingBaseline = Callable[[Sequence[Review], Pairs, RatingScale, int], Predictions]
"""Takes the known reviews, the pairs, the scale and a seed."""

_DAMPING = 5.0
_SWEEPS = 20
_MF_FACTORS, _MF_EPOCHS, _MF_RATE, _MF_DECAY = 10, 100, 0.01, 0.05


def global_mean(
    known: Sequence[Review], pairs: Pairs, scale: RatingScale, seed: int
) -> Predictions:
    """Predict the mean of all known ratings."""
    del scale, seed
    return np.full(len(pairs), _mean(known))


def global_median(
    known: Sequence[Review], pairs: Pairs, scale: RatingScale, seed: int
) -> Predictions:
    """Predict the median of all known ratings: the constant with the least absolute error."""
    del scale, seed
    return np.full(len(pairs), float(np.median([review.rating for review in known])))


def user_mean(known: Sequence[Review], pairs: Pairs, scale: RatingScale, seed: int) -> Predictions:
    """Predict the user's mean, or the global one for an unknown user."""
    del scale, seed
    means, overall = _means(known, lambda review: review.user), _mean(known)
    return np.array([means.get(user, overall) for user, _ in pairs])


def item_mean(known: Sequence[Review], pairs: Pairs, scale: RatingScale, seed: int) -> Predictions:
    """Predict the item's mean, or the global one for an unknown item."""
    del scale, seed
    means, overall = _means(known, lambda review: review.item.id), _mean(known)
    return np.array([means.get(item, overall) for _, item in pairs])


def biases(known: Sequence[Review], pairs: Pairs, scale: RatingScale, seed: int) -> Predictions:
    """Predict global mean + user bias + item bias, damped (Koren 2010, section 2.1)."""
    del seed
    overall = _mean(known)
    users: dict[str, float] = {}
    items: dict[str, float] = {}
    for _ in range(_SWEEPS):
        items = _damped((r.item.id, r.rating - overall - users.get(r.user, 0.0)) for r in known)
        users = _damped((r.user, r.rating - overall - items[r.item.id]) for r in known)
    predicted = [overall + users.get(user, 0.0) + items.get(item, 0.0) for user, item in pairs]
    return np.clip(np.array(predicted), scale.low, scale.high)


def matrix_factorisation(
    known: Sequence[Review], pairs: Pairs, scale: RatingScale, seed: int
) -> Predictions:
    """Predict with biased matrix factorisation as implemented by Cornac, an optional extra."""
    users = {user: n for n, user in enumerate(sorted({review.user for review in known}))}
    items = {item: n for n, item in enumerate(sorted({review.item.id for review in known}))}
    triples = [(review.user, review.item.id, review.rating) for review in known]
    train: Any = import_module("cornac.data").Dataset.build(
        triples, global_uid_map=users, global_iid_map=items, seed=seed
    )
    model: Any = import_module("cornac.models").MF(
        k=_MF_FACTORS,
        max_iter=_MF_EPOCHS,
        learning_rate=_MF_RATE,
        lambda_reg=_MF_DECAY,
        use_bias=True,
        early_stop=False,
        num_threads=1,
        verbose=False,
        seed=seed,
    )
    model.fit(train)
    # Index -1 stands for an unknown user or item: no bias, no factors.
    u = [users.get(user, -1) for user, _ in pairs]
    i = [items.get(item, -1) for _, item in pairs]
    user_bias, item_bias = np.append(model.u_biases, 0.0), np.append(model.i_biases, 0.0)
    left = np.vstack([model.u_factors, np.zeros(_MF_FACTORS)])
    right = np.vstack([model.i_factors, np.zeros(_MF_FACTORS)])
    predicted = _mean(known) + user_bias[u] + item_bias[i] + (left[u] * right[i]).sum(axis=1)
    return np.clip(predicted, scale.low, scale.high)


RATING_BASELINES: Mapping[str, RatingBaseline] = MappingProxyType(
    {
        "global-mean": global_mean,
        "global-median": global_median,
        "user-mean": user_mean,
        "item-mean": item_mean,
        "bias": biases,
        "mf": matrix_factorisation,
    }
)
"""Every baseline by its name on the command line."""


def check_rating_baselines(names: Sequence[str]) -> None:
    """Raise `InputError` for a name that is unknown or whose library is not installed."""
    for name in names:
        if name not in RATING_BASELINES:
            raise InputError(
                "baselines", f"{name!r} is unknown.", f"Choose from {', '.join(RATING_BASELINES)}."
            )
    if "mf" in names and not find_spec("cornac"):
        raise InputError(
            "baselines",
            "'mf' needs the package 'cornac', which is not installed.",
            "Install it with: pip install 're2llm[sasrec]'",
        )


def _means(known: Sequence[Review], key: Callable[[Review], str]) -> dict[str, float]:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for review in known:
        groups[key(review)].append(review.rating)
    return {name: fmean(ratings) for name, ratings in groups.items()}


def _damped(residuals: Iterable[tuple[str, float]]) -> dict[str, float]:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for name, residual in residuals:
        groups[name].append(residual)
    return {name: sum(group) / (len(group) + _DAMPING) for name, group in groups.items()}


def _mean(reviews: Sequence[Review]) -> float:
    return fmean(review.rating for review in reviews)
