"""What the first stage knows about each candidate, for any domain.

Attributes may be numbers, text or lists of text, under any name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, centred_and_deviation, standardised
from ...knowledge.sessions.evidence import EVIDENCE
from ...records import Item
from ...title_words import series_scores
from ..session_stats import (
    Attributes,
    main_number,
    numeric_values,
    profile_scores,
)
from .item_factors import FACTOR_NAMES

_RECENT = 5
_MOST = 50
"""Items of the history whose attributes count."""

OFTEN = 0.5
"""Part of the sessions from which on people are said to choose again what they had."""

NEARNESS_NAMES = ("near_history", "near_recent", "near_one", "near_last")
"""Columns of `nearness`."""

FEATURE_NAMES: tuple[str, ...] = (
    *(f"log_{kind}" for kind in EVIDENCE),
    *FACTOR_NAMES,
    *NEARNESS_NAMES,
    "profile_history",
    "profile_recent",
    "numbers_close",
    "numbers_high",
    "main_number_close_to_last",
    "main_number_close_to_history",
    "main_number",
    "series",
    "in_history",
    "history_log_length",
)
"""What each feature is, in order."""


@dataclass(frozen=True, slots=True)
class FirstStageTask:
    """A history, and the candidates to rank.

    Attributes:
        history: Ids of the chosen items, oldest first.
        history_items: The last of them.
        candidate_items: The items to rank.
        evidence: Shape `[candidates, kinds]`; `None` where nothing is known.
        nearness: Shape `[candidates, 4]`, from `nearness`.
        repeats: The part of the past sessions that chose an item of their own history.
    """

    history: Sequence[str]
    history_items: Sequence[Item]
    candidate_items: Sequence[Item]
    evidence: Floats | None
    nearness: Floats
    repeats: float = 1.0

    @property
    def candidates(self) -> list[str]:
        """The candidates' ids."""
        return [item.id for item in self.candidate_items]

    @property
    def numbers(self) -> Floats:
        """The evidence, 0 where nothing is known; shape `[candidates, kinds]`."""
        unknown = np.zeros((len(self.candidate_items), len(EVIDENCE)))
        return unknown if self.evidence is None else self.evidence


def candidate_features(task: FirstStageTask, factors: Floats) -> Floats:
    """Describe each candidate in relation to the session.

    Args:
        factors: Shape `[candidates, 4]`, from `ItemFactors.scores`.

    Returns:
        Shape `[candidates, features]`, columns as in `FEATURE_NAMES`.
    """
    count = len(task.candidate_items)
    past, offered = task.history_items[-_MOST:], task.candidate_items
    said, offers = [item.texts for item in past], [item.texts for item in offered]
    profile = profile_scores(said, offers)
    short = len(said) <= _RECENT
    known = set(task.history)
    columns = [
        *np.log1p(np.maximum(task.numbers, 0)).T,
        *factors.T,
        *task.nearness.T,
        profile,
        profile if short else profile_scores(said[-_RECENT:], offers),
        *_numbers([item.numbers for item in past], [item.numbers for item in offered]),
        np.array(series_scores([i.title for i in offered], [i.title for i in past])),
        np.array([float(item in known) for item in task.candidates]),
        np.full(count, math.log1p(len(task.history))),
    ]
    return np.nan_to_num(np.stack(columns, axis=1))


def nearness(history: NDArray[np.float32], candidates: NDArray[np.float32]) -> Floats:
    """Compare candidates with a history by meaning.

    Args:
        history: Unit vectors, oldest first, shape `[items, 384]`, at least one.
        candidates: Likewise, shape `[candidates, 384]`.

    Returns:
        Cosines, shape `[candidates, 4]`: the mean with recent items counting more, the mean of the
        last five, the largest, and that of the last item.
    """
    cosines = (history[-_MOST:] @ candidates.T).astype(np.float64)
    recency = np.arange(1, len(cosines) + 1)
    return np.stack(
        [
            recency @ cosines / recency.sum(),
            cosines[-_RECENT:].mean(axis=0),
            cosines.max(axis=0),
            cosines[-1],
        ],
        axis=1,
    )


def evidence_sum(task: FirstStageTask) -> Floats:
    """Add all kinds of evidence with equal weights: an order that nothing had to learn.

    Evidence favors what goes with the history, and so the history itself: where most people choose
    something new, that comes first.

    Returns:
        Shape `[candidates]`, mean 0 and deviation 1.
    """
    columns = np.log1p(np.maximum(task.numbers, 0)).T
    scores = standardised(np.sum([standardised(column) for column in columns], axis=0))
    return unseen_first(scores, task) if task.repeats < OFTEN else scores


def unseen_first(scores: Floats, task: FirstStageTask) -> Floats:
    """Put candidates of the history behind the others, each part in its order.

    Args:
        scores: Shape `[candidates]`.

    Returns:
        Likewise, mean 0 and deviation 1.
    """
    known = set(task.history)
    seen = np.array([item in known for item in task.candidates], dtype=bool)
    if seen.all() or not seen.any():
        return scores
    behind = scores[seen].max() - scores[~seen].min() + 1
    return standardised(np.where(seen, scores - max(behind, 0), scores))


def _numbers(past: Attributes, offered: Attributes) -> list[Floats]:
    """Compare numeric attributes with the history's: of all on average, and of the main one."""
    close, high = np.zeros(len(offered)), np.zeros(len(offered))
    main = [np.zeros(len(offered))] * 3
    names = sorted({name for item in offered for name in item})
    chief = main_number([*past, *offered])
    counted = 0
    for name in names:
        before, values = _filled(past, name), _filled(offered, name)
        if not len(before) or not len(values):
            continue
        unit = centred_and_deviation(np.concatenate([before, values]))[1] or 1.0
        close -= np.abs(values - before[-_RECENT:].mean()) / unit
        high += standardised(values)
        counted += 1
        if name == chief:
            main = [
                -np.abs(values - before[-1]) / unit,
                -np.abs(values - before.mean()) / unit,
                (values - np.median(values)) / unit,
            ]
    return [close / max(counted, 1), high / max(counted, 1), *main]


def _filled(items: Attributes, name: str) -> Floats:
    """Return an attribute of each item, the median where it is missing; empty if all lack it."""
    values = numeric_values(items, name)
    missing = np.isnan(values)
    return values[:0] if missing.all() else np.where(missing, np.median(values[~missing]), values)
