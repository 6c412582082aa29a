"""How much the order of the candidates in the prompt changes a ranker's answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, cast

import numpy as np
from scipy import stats

from ..ranking.orders import fuse
from ..records import Session
from .experiment import Row, target_ranks
from .metrics import MISSING, score_ranks

_METRIC = "ndcg@10"
_TOP = 10
_PARTS = 3


def order_spread(
    rows: Sequence[Row], sessions: Sequence[Session], prompts: Sequence[Sequence[Sequence[str]]]
) -> dict[str, Any]:
    """Measure how much a ranker's answers depend on the order in which candidates were listed.

    Args:
        rows: One for each order, with rankings, over the same sessions.
        prompts: For each order and session the candidates' ids as the prompt listed them.

    Returns:
        NDCG@10 of each order with mean, standard deviation and range; the mean Kendall tau and the
        overlap of the first ten between two orders of a session; the share of sessions whose first
        item never changes; the mean standard deviation of a target's rank over the orders; and
        NDCG@10 by the third of the list that held the target: three equal numbers if the ranker has
        no position bias.
    """
    scores = np.stack([score_ranks(row.ranks, [_METRIC])[_METRIC] for row in rows])
    means = scores.mean(axis=1)
    pairs = list(combinations(range(len(rows)), 2))
    alike = [
        (rows[a].rankings[place], rows[b].rankings[place])
        for a, b in pairs
        for place in range(len(sessions))
    ]
    ranks = np.stack([row.ranks for row in rows]).astype(np.float64)
    ranks[ranks == MISSING] = np.nan
    return {
        "name": rows[0].name,
        "orders": len(rows),
        _METRIC: [round(float(mean), 4) for mean in means],
        "mean": round(float(means.mean()), 4),
        "sd": round(float(means.std(ddof=1)), 4) if len(rows) > 1 else 0.0,
        "range": round(float(means.max() - means.min()), 4),
        "kendall_tau": _mean([_tau(*two) for two in alike]),
        "top10_overlap": _mean([_overlap(*two) for two in alike]),
        "same_first": _mean(
            [
                float(len({row.rankings[place][0] for row in rows}) == 1)
                for place in range(len(sessions))
            ]
        ),
        "rank_sd": round(float(np.nanmean(np.asarray(np.nanstd(ranks, axis=0)))), 3),
        "by_third": _by_third(scores, sessions, prompts),
    }


def fused_row(rows: Sequence[Row], sessions: Sequence[Session]) -> Row:
    """Fuse the rankings of several orders, one row each, without further calls."""
    rankings = [fuse(orders) for orders in zip(*(row.rankings for row in rows), strict=True)]
    return Row(
        f"{rows[0].name} x{len(rows)}",
        "fused",
        target_ranks(sessions, rankings),
        sum(row.llm_calls for row in rows),
        rankings=rankings,
    )


def _by_third(
    scores: Any, sessions: Sequence[Session], prompts: Sequence[Sequence[Sequence[str]]]
) -> list[float | None]:
    parts: list[list[float]] = [[] for _ in range(_PARTS)]
    for order, listed in enumerate(prompts):
        for place, session in enumerate(sessions):
            ids = listed[place]
            if session.target in ids:
                part = ids.index(session.target) * _PARTS // len(ids)
                parts[part].append(float(scores[order, place]))
    return [_mean(part) if part else None for part in parts]


def _tau(one: Sequence[str], other: Sequence[str]) -> float:
    places = {item: place for place, item in enumerate(other)}
    pairs = cast("Any", stats).kendalltau(range(len(one)), [places[item] for item in one])
    return float(pairs.statistic)


def _overlap(one: Sequence[str], other: Sequence[str]) -> float:
    return len(set(one[:_TOP]) & set(other[:_TOP])) / min(_TOP, len(one))


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if values else 1.0
