"""Fits the first stage so that no session's own choice reaches its features or its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, standardised
from ...rank_metrics import ndcgs
from ...records import Session
from .features import FirstStageTask, candidate_features, evidence_sum
from .fitting import EPOCHS, MEMBERS, Lists, fit
from .folds import FOLDS, folds_of
from .item_factors import ItemFactors
from .model import FirstStage, learned_scores

FEWEST_TO_LEARN = 50
"""Sessions below which the plain sum of the evidence is as good as anything that is learned."""


@dataclass(frozen=True, slots=True)
class LearningSession:
    """A session to learn from.

    Attributes:
        key: The key of the training session.
        task: Its candidates in their stored order, and evidence that leaves the session out.
        chosen: The row of the chosen candidate.
        offered: How many of the candidates were offered; items of the history may follow, from
            which it learns how often those are chosen again. `None` for all.
        stored: Whether it is the training session itself, whose scores are kept; else an earlier
            state of it.
    """

    key: int
    task: FirstStageTask
    chosen: int
    offered: int | None = None
    stored: bool = True


@dataclass(frozen=True, slots=True)
class FirstStageReport:
    """How a first stage does on sessions that it has not seen.

    Attributes:
        sessions: How many it learned from.
        learned: NDCG@10 of the learned scorer, each session by a model without it.
        plain: NDCG@10 of the plain sum of the evidence.
        kept: Which of the two serves: `learned` or `sum`.
    """

    sessions: int
    learned: float
    plain: float
    kept: str

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for the database."""
        return {
            "sessions": self.sessions,
            "learned": round(self.learned, 5),
            "sum": round(self.plain, 5),
            "kept": self.kept,
        }


def fit_first_stage(
    sessions: Sequence[tuple[int, Session]],
    learning: Sequence[LearningSession],
    first_recent: int,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[FirstStage, FirstStageReport]:
    """Fit item factors and scorer. Blocks for seconds to minutes; deterministic.

    Args:
        sessions: Key and session of all training sessions, in the order they were loaded.
        learning: Those to learn the scorer from.
        first_recent: Place of the first recent session where their order tells time, else 0. Then
            the sessions to learn from are recent ones, and see the factors of the earlier ones.
        progress: Called with finished and all steps.
    """
    done, total = 0, (FOLDS + 1) * (1 + MEMBERS * EPOCHS)

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    sequences = [[*session.history, session.target or ""] for _, session in sessions]
    folds = folds_of(sessions)
    whole = ItemFactors.of(sequences)
    advance()
    newest = max((key for key, _ in sessions), default=0)
    sums = [evidence_sum(each.task) for each in learning]
    chosen = [each.chosen for each in learning]
    plain = mean_ndcg(sums, chosen)
    learned, scores, scorer = 0.0, sums, None
    count = sum(each.stored for each in learning)
    if count >= FEWEST_TO_LEARN:
        lists, groups = _lists(sessions, sequences, folds, learning, first_recent, advance)
        held_out = _held_out_scores(lists, groups, learning, advance)
        learned = mean_ndcg(held_out, chosen)
        # All in one chain, they have no model that has not seen it.
        if learned > plain and len(np.unique(groups)) > 1:
            scores, scorer = held_out, fit(lists, on_epoch=advance)
    kept = "sum" if scorer is None else "learned"
    report = FirstStageReport(count, learned, plain, kept)
    return FirstStage(whole, scorer, _by_key(learning, scores), newest), report


def _held_out_scores(
    lists: Lists,
    groups: NDArray[np.int64],
    learning: Sequence[LearningSession],
    advance: Callable[[], None],
) -> list[Floats]:
    """Return the scores of each session's candidates, by a scorer that was fitted without it."""
    scores = [np.zeros(len(features)) for features in lists.features]
    for fold in range(FOLDS):
        rest, held = np.flatnonzero(groups != fold), np.flatnonzero(groups == fold)
        if not len(rest):
            continue
        scorer = fit(lists.part(rest), on_epoch=advance)
        for row in held.tolist():
            scores[row] = learned_scores(scorer, learning[row].task, lists.features[row])
    return scores


def _lists(
    sessions: Sequence[tuple[int, Session]],
    sequences: Sequence[Sequence[str]],
    folds: Mapping[int, int],
    learning: Sequence[LearningSession],
    first_recent: int,
    advance: Callable[[], None],
) -> tuple[Lists, NDArray[np.int64]]:
    """Return the features of each session, from factors that have not seen it, and its fold."""
    groups = np.array([folds[each.key] for each in learning], dtype=np.int64)
    features: list[Floats] = [np.zeros((0, 0))] * len(learning)
    earlier = ItemFactors.of(sequences[:first_recent]) if first_recent else None
    for fold in range(FOLDS):
        factors = earlier
        if factors is None:
            pairs = zip(sessions, sequences, strict=True)
            factors = ItemFactors.of([items for (key, _), items in pairs if folds[key] != fold])
        advance()
        for row in np.flatnonzero(groups == fold).tolist():
            task = learning[row].task
            seen = factors.scores(task.history, task.candidates)
            features[row] = candidate_features(task, seen)
    return Lists(features, [each.chosen for each in learning]), groups


def _by_key(
    learning: Sequence[LearningSession], scores: Sequence[Floats]
) -> dict[int, NDArray[np.float32]]:
    found: dict[int, NDArray[np.float32]] = {}
    for each, row in zip(learning, scores, strict=True):
        if not each.stored:
            continue
        whole = each.offered is None or each.offered == len(row)
        found[each.key] = (row if whole else standardised(row[: each.offered])).astype(np.float32)
    return found


def mean_ndcg(scores: Sequence[Floats], chosen: Sequence[int]) -> float:
    """Return the mean NDCG@10; of equal scores, any order is as likely as any other.

    Args:
        scores: Of each session's candidates, `[candidates]` each.
        chosen: The row of the chosen candidate of each session.

    Raises:
        ValueError: The numbers of sessions differ.
    """
    gains: list[float] = []
    for row, place in zip(scores, chosen, strict=True):
        better, tied = int((row > row[place]).sum()), int((row == row[place]).sum())
        gains.append(sum(ndcgs(better + 1 + np.arange(tied)).tolist()) / tied)
    return float(np.mean(gains)) if gains else 0.0
