"""Turns an experiment's rows into the metrics that people and programs read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from itertools import combinations
from typing import Any

import numpy as np

from ..arrays import Floats, Ints
from .bootstrap import Bootstrap, Interval, are_one
from .experiment import Row
from .metrics import DEFAULT_METRICS, MISSING, score_ranks

CUTOFFS = (5, 10)
_COMPARED = "ndcg@10"
_LAST = np.iinfo(np.int64).max


def summarise(rows: Sequence[Row], *, groups: Ints | None = None, seed: int = 0) -> dict[str, Any]:
    """Compute means, 95 % intervals and paired differences.

    Args:
        rows: The rows of one experiment: all over the same sessions.
        groups: Which sessions belong together, from `session_groups`; `None` if each is of its own.

    Returns:
        The document that `evaluate --json` writes: `n`, `k`, `rows` and `paired`. The difference
        of each two rows in NDCG@10 is better minus worse. The ends of intervals are `None` if all
        sessions are one.
    """
    bootstrap = Bootstrap(seed=seed, groups=groups)
    values = [score_ranks(row.ranks, DEFAULT_METRICS) for row in rows]
    described: list[dict[str, Any]] = []
    for row, scores in zip(rows, values, strict=True):
        means = bootstrap.means(np.stack([scores[name] for name in DEFAULT_METRICS]))
        intervals = dict(zip(DEFAULT_METRICS, means, strict=True))
        described.append(
            {
                "name": row.name,
                "kind": row.kind,
                **{name: round(interval.mean, 4) for name, interval in intervals.items()},
                "ci95": {
                    name: _ends(interval, row.ranks, groups) for name, interval in intervals.items()
                },
                **_given(row),
                "llm_calls": row.llm_calls,
                "flags": dict(row.flags),
                "faults": dict(row.faults),
            }
        )
    return {
        "n": len(rows[0].ranks) if rows else 0,
        "k": list(CUTOFFS),
        "rows": described,
        "paired": _paired(rows, values, bootstrap),
    }


def _ends(interval: Interval, sessions: Sized, groups: Ints | None) -> list[float] | list[None]:
    """Return both ends, rounded, or `None` for each where all sessions are one."""
    return [None, None] if are_one(sessions, groups) else interval.ends


def _given(row: Row) -> dict[str, Any]:
    """Say how many hints a policy gave: the mean number, and sessions by number."""
    if not row.sets:
        return {}
    sizes = [len(given) for given in row.sets]
    numbers = {str(size): count for size, count in sorted(Counter(sizes).items())}
    return {"mean_hints": round(float(np.mean(sizes)), 3), "hints_given": numbers}


def _paired(
    rows: Sequence[Row], values: Sequence[Mapping[str, Floats]], bootstrap: Bootstrap
) -> list[dict[str, Any]]:
    gains = sorted(
        zip(_labels(rows), (scores[_COMPARED] for scores in values), strict=True),
        key=lambda labelled: -float(labelled[1].mean()),
    )
    pairs = list(combinations(gains, 2))
    if not pairs:
        return []
    intervals = bootstrap.differences(
        np.stack([better for (_, better), _ in pairs]), np.stack([worse for _, (_, worse) in pairs])
    )
    return [
        {
            "a": a,
            "b": b,
            "metric": _COMPARED,
            "diff": round(interval.mean, 4),
            "ci95": _ends(interval, rows[0].ranks, bootstrap.groups),
        }
        for ((a, _), (b, _)), interval in zip(pairs, intervals, strict=True)
    ]


def _labels(rows: Sequence[Row]) -> list[str]:
    """Name each row; a policy and a baseline of the same name are distinguished by their kind."""
    times = Counter(row.name for row in rows)
    return [row.name if times[row.name] == 1 else f"{row.kind}:{row.name}" for row in rows]


def oracle_row(rows: Sequence[Row]) -> Row:
    """Return the ranks of always making the best choice for each session, known only afterwards.

    It is the ceiling of choosing among these hints; no policy can reach it by knowledge. Its calls
    are those of all rows, since it needs each of their answers.

    Args:
        rows: The row without a hint and a row for each hint, over the same sessions.
    """
    ranks = np.stack([np.where(row.ranks == MISSING, _LAST, row.ranks) for row in rows])
    best = ranks.min(axis=0)
    calls = sum(row.llm_calls for row in rows)
    return Row("oracle", "oracle", np.where(best == _LAST, MISSING, best), calls)


def hint_table(
    without: Row,
    rows: Mapping[int, Row],
    texts: Mapping[int, str],
    *,
    groups: Ints | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compare giving one hint to every session with giving none.

    Args:
        without: The row without a hint.
        groups: As in `summarise`.

    Returns:
        Best first: id, text, NDCG@10, the paired gain with its 95 % interval, and how many
        sessions it helped and harmed.
    """
    if not rows:
        return []
    plain = score_ranks(without.ranks, [_COMPARED])[_COMPARED]
    scores = {key: score_ranks(row.ranks, [_COMPARED])[_COMPARED] for key, row in rows.items()}
    gains = np.stack([score - plain for score in scores.values()])
    intervals = Bootstrap(seed=seed, groups=groups).means(gains)
    table = [
        {
            "id": key,
            "text": texts[key],
            _COMPARED: round(float(score.mean()), 4),
            "gain": round(interval.mean, 4),
            "ci95": _ends(interval, plain, groups),
            "helped": int((score > plain).sum()),
            "harmed": int((score < plain).sum()),
        }
        for (key, score), interval in zip(scores.items(), intervals, strict=True)
    ]
    return sorted(table, key=lambda entry: -entry["gain"])
