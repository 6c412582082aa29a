"""What each single hint would bring, and what the best hint for each session would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .bootstrap import Bootstrap
from .experiment import Row
from .metrics import MISSING, score_ranks

_METRIC = "ndcg@10"
_LAST = np.iinfo(np.int64).max


def oracle_row(rows: Sequence[Row]) -> Row:
    """Return the ranks of a policy that knows afterwards which choice was best for each session.

    No policy can know: it is the ceiling of choosing among these hints, not a target.

    Args:
        rows: The row without a hint and a row for each hint, over the same sessions.
    """
    ranks = np.stack(
        [np.where(row.ranks == MISSING, np.iinfo(np.int64).max, row.ranks) for row in rows]
    )
    best = ranks.min(axis=0)
    return Row("oracle", "oracle", np.where(best == np.iinfo(np.int64).max, MISSING, best))


def hint_table(
    without: Row, rows: Mapping[int, Row], texts: Mapping[int, str], *, seed: int = 0
) -> list[dict[str, Any]]:
    """Compare giving one hint to every session with giving none.

    Args:
        without: The row without a hint.
        rows: By hint id, over the same sessions.
        texts: By hint id.
        seed: Of the bootstrap.

    Returns:
        Best first: id, text, NDCG@10, the paired gain with its 95 % interval, and how many
        sessions it helped and harmed.
    """
    if not rows:
        return []
    plain = score_ranks(without.ranks, [_METRIC])[_METRIC]
    scores = {key: score_ranks(row.ranks, [_METRIC])[_METRIC] for key, row in rows.items()}
    intervals = Bootstrap(seed=seed).means(np.stack([score - plain for score in scores.values()]))
    table = [
        {
            "id": key,
            "text": texts[key],
            _METRIC: round(float(score.mean()), 4),
            "gain": round(interval.mean, 4),
            "ci95": [round(interval.low, 4), round(interval.high, 4)],
            "helped": int((score > plain).sum()),
            "harmed": int((score < plain).sum()),
        }
        for (key, score), interval in zip(scores.items(), intervals, strict=True)
    ]
    return sorted(table, key=lambda entry: -entry["gain"])
