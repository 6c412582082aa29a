"""Rating predictors without an LLM: means, biases and matrix factorisation.

All learn from the known reviews alone; see `sessions.review_splits`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import InputError
from ..evaluation.metrics import FloatArray
from ..records import RatingScale, Review

RatingBaseline = Callable[
    [Sequence[Review], Sequence[tuple[str, str]], RatingScale, int], FloatArray
]
"""From known reviews, pairs of user and item, the scale and a seed to predictions `(pairs,)`."""

_DAMPING = 5.0
_SWEEPS = 20
_MF_FACTORS, _MF_EPOCHS, _MF_RATE, _MF_DECAY = 10, 100, 0.01, 0.05


def global_mean(
    known: Sequence[Review], pairs: Sequence[tuple[str, str]], scale: RatingScale, seed: int
) -> FloatArray:
    """Predict the mean of all known ratings."""
    del scale, seed
    return np.full(len(pairs), _mean(known))


def global_median(
    known: Sequence[Review], pairs: Sequence[tuple[str, str]], scale: RatingScale, seed: int
) -> FloatArray:
    """Predict the median of all known ratings: the constant with the least absolute error."""
    del scale, seed
    return np.full(len(pairs), float(np.median([review.rating for review in known])))


def user_mean(
    known: Sequence[Review], pairs: Sequence[tuple[str, str]], scale: RatingScale, seed: int
) -> FloatArray:
    """Predict the user's mean, or the global one for an unknown user."""
    del scale, seed
    means = _means(known, lambda review: review.user)
    return np.array([means.get(user, _mean(known)) for user, _ in pairs])


def item_mean(
    known: Sequence[Review], pairs: Sequence[tuple[str, str]], scale: RatingScale, seed: int
) -> FloatArray:
    """Predict the item's mean, or the global one for an unknown item."""
    del scale, seed
    means = _means(known, lambda review: review.item.id)
    return np.array([means.get(item, _mean(known)) for _, item in pairs])


def biases(
    known: Sequence[Review], pairs: Sequence[tuple[str, str]], scale: RatingScale, seed: int
) -> FloatArray:
    """Predict global mean + user bias + item bias, damped (Koren 2010, section 2.1)."""
    del seed
    middle = _mean(known)
    users: dict[str, float] = {}
    items: dict[str, float] = {}
    for _ in range(_SWEEPS):
        items = _damped((r.item.id, r.rating - middle - users.get(r.user, 0.0)) for r in known)
        users = _damped((r.user, r.rating - middle - items[r.item.id]) for r in known)
    predicted = [middle + users.get(user, 0.0) + items.get(item, 0.0) for user, item in pairs]
    return np.clip(np.array(predicted), scale.low, scale.high)


def matrix_factorisation(
    known: Sequence[Review], pairs: Sequence[tuple[str, str]], scale: RatingScale, seed: int
) -> FloatArray:
    """Predict with biased matrix factorisation as implemented by Cornac, an optional extra."""
    users = {user: n for n, user in enumerate(sorted({review.user for review in known}))}
    items = {item: n for n, item in enumerate(sorted({review.item.id for review in known}))}
    triples = [(review.user, review.item.id, review.rating) for review in known]
    train: Any = import_module("cornac.data").Dataset.build(
        triples, global_uid_map=users, global_iid_map=items, seed=seed
    )
    model: Any = (
        import_module("cornac.models")
        .MF(
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
        .fit(train)
    )
    middle = _mean(known)
    user_bias, item_bias = np.asarray(model.u_biases), np.asarray(model.i_biases)
    left, right = np.asarray(model.u_factors), np.asarray(model.i_factors)
    predicted: list[float] = []
    for user, item in pairs:
        u, i = users.get(user), items.get(item)
        value = middle
        value += float(user_bias[u]) if u is not None else 0.0
        value += float(item_bias[i]) if i is not None else 0.0
        value += float(left[u] @ right[i]) if u is not None and i is not None else 0.0
        predicted.append(value)
    return np.clip(np.array(predicted), scale.low, scale.high)


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
    """Refuse what cannot run, before anything slow or paid begins.

    Args:
        names: Names of baselines.

    Raises:
        InputError: A name is unknown, or the extra for `mf` is not installed.
    """
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
    groups: defaultdict[str, list[Review]] = defaultdict(list)
    for review in known:
        groups[key(review)].append(review)
    return {name: _mean(group) for name, group in groups.items()}


def _damped(residuals: Iterable[tuple[str, float]]) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for name, residual in residuals:
        sums[name] += residual
        counts[name] += 1
    return {name: sums[name] / (counts[name] + _DAMPING) for name in sums}


def _mean(reviews: Sequence[Review]) -> float:
    return sum(review.rating for review in reviews) / len(reviews)
