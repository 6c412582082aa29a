"""From scores to rankings, with ties broken so that no candidate's place can leak the target."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..metrics import FloatArray, IntArray, target_rank
from .base import Baseline, candidates_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...records import Session


def uniform_keys(session: Session, items: Sequence[str], seed: int) -> FloatArray:
    """Draw a pseudo-random number for each item, fixed by seed, history and item id alone.

    Neither the target nor an item's place in the list has any influence.

    Args:
        session: Only its history is read.
        items: Item ids.
        seed: Another seed gives independent numbers.

    Returns:
        Float64 array of shape `(len(items),)`, uniform in [0, 1).
    """
    stem = blake2b(json.dumps([seed, *session.history]).encode(), digest_size=8)
    digests = bytearray()
    for item in items:
        leaf = stem.copy()
        leaf.update(item.encode(errors="surrogatepass"))
        digests += leaf.digest()
    words = np.frombuffer(bytes(digests), dtype="<u8")
    return (words >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def rank_candidates(session: Session, scores: FloatArray, *, seed: int = 0) -> tuple[str, ...]:
    """Order a session's candidates by score.

    Ties go to a seeded random order of their own in each session. The candidates' order is never
    used, so a file that always lists the target first, or last, gives the same figures.

    Args:
        session: A session with candidates. Of a repeated candidate, the first occurrence counts.
        scores: Shape `(len(session.candidates),)`, higher is better; no NaN.
        seed: What ties are broken with.

    Returns:
        Each distinct candidate once, best first.

    Raises:
        InputError: There are no candidates, or the scores do not fit them.
    """
    candidates = candidates_of(session)
    if scores.shape != (len(candidates),) or bool(np.isnan(scores).any()):
        raise InputError(
            "scores",
            f"have shape {scores.shape} for {len(candidates)} candidates, or hold NaN.",
            "A baseline returns one number for each candidate, in the candidates' order.",
        )
    first = {item: place for place, item in reversed(list(enumerate(candidates)))}
    items = sorted(first)
    own = scores[[first[item] for item in items]]
    order: IntArray = np.lexsort((uniform_keys(session, items, seed), -own))
    return tuple(items[int(place)] for place in order)


def rank_session(baseline: Baseline, session: Session, *, seed: int = 0) -> tuple[str, ...]:
    """Let a baseline rank a session's candidates without its target in sight.

    Args:
        baseline: A fitted baseline.
        session: A session with candidates; its target is taken away before scoring.
        seed: What ties are broken with.

    Returns:
        Each distinct candidate once, best first.

    Raises:
        InputError: There are no candidates.
    """
    blind = replace(session, target=None)
    return rank_candidates(blind, baseline.score(blind), seed=seed)


def rank_targets(baseline: Baseline, sessions: Sequence[Session], *, seed: int = 0) -> IntArray:
    """Return where a baseline puts each session's target.

    Args:
        baseline: A fitted baseline.
        sessions: Sessions with candidates and target.
        seed: What ties are broken with.

    Returns:
        Int64 array of shape `(len(sessions),)`: 1-based ranks, 0 where the target is not among
        the candidates; ready for `score_ranks`.

    Raises:
        InputError: A session has no candidates or no target; the message names it.
    """
    ranks = np.zeros(len(sessions), dtype=np.int64)
    for number, session in enumerate(sessions):
        if session.target is None or not session.candidates:
            raise InputError(
                f"sessions[{number}]",
                "has no target or no candidates, so it cannot be judged.",
                "Evaluate on sessions that hold both.",
            )
        ranks[number] = target_rank(rank_session(baseline, session, seed=seed), session.target)
    return ranks
