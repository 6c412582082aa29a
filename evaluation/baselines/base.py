"""What a baseline is, and how its scores become a ranking.

Ties are broken so that no candidate's place in the file can leak the target.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Protocol, TypeAlias

import numpy as np

from ...arrays import Floats, Ints
from ...errors import InputError
from ...records import Session, counted
from ..metrics import target_rank


class Baseline(Protocol):
    """A recommender without an LLM, already fitted on training sessions."""

    @property
    def name(self) -> str:
        """The name in the registry and in reports."""
        ...

    def score(self, session: Session) -> Floats:
        """Score a session's candidates from its history.

        Args:
            session: A session with candidates; `rank_session` has removed its target.

        Returns:
            Float64 array of shape `(len(session.candidates),)`, higher is better, in the
            candidates' order. Equal scores mean "no preference"; NaN is not allowed.

        Raises:
            InputError: The session has no candidates.
        """
        ...


BaselineFactory: TypeAlias = Callable[[Sequence[Session], int], Baseline]
"""Fits a baseline: training sessions and a seed in, the fitted baseline out."""


def candidates_of(session: Session) -> tuple[str, ...]:
    """Return the session's candidates, or raise `InputError` if it has none."""
    if not session.candidates:
        raise InputError(
            "candidates",
            "are missing, so there is nothing to score.",
            "Give every session the items to rank, or sample them first.",
        )
    return session.candidates


def items_of(session: Session) -> tuple[str, ...]:
    """Return all items of a *training* session, oldest first: history, then target."""
    return session.history if session.target is None else (*session.history, session.target)


def uniform_keys(session: Session, items: Sequence[str], seed: int) -> Floats:
    """Draw a number in [0, 1) for each item, fixed by seed, session and item id; shape `[items]`.

    Of the session, the history and `repeat` count. Neither the target nor an item's place in the
    list has any influence.
    """
    seeds = [seed, session.repeat] if session.repeat else [seed]
    stem = blake2b(json.dumps([*seeds, *session.history]).encode(), digest_size=8)
    digests = bytearray()
    for item in items:
        leaf = stem.copy()
        leaf.update(item.encode(errors="surrogatepass"))
        digests += leaf.digest()
    words = np.frombuffer(bytes(digests), dtype="<u8")
    return (words >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def rank_candidates(session: Session, scores: Floats, *, seed: int = 0) -> tuple[str, ...]:
    """Order a session's candidates by score.

    Ties are put in a seeded random order, a different one in each session. The candidates' order is
    never used, so a file that always lists the target first, or last, gives the same metrics.

    Args:
        session: A session with candidates. Of a repeated candidate, the first occurrence counts.
        scores: Shape `(len(session.candidates),)`, higher is better; no NaN.
        seed: The seed of the order among ties.

    Returns:
        Each distinct candidate once, best first.

    Raises:
        InputError: There are no candidates, or the scores do not fit them.
    """
    candidates = candidates_of(session)
    if scores.shape != (len(candidates),) or bool(np.isnan(scores).any()):
        raise InputError(
            "scores",
            f"have shape {scores.shape} for {counted(len(candidates), 'candidate')}, or hold NaN.",
            "A baseline returns one number for each candidate, in the candidates' order.",
        )
    first = {item: place for place, item in reversed(list(enumerate(candidates)))}
    items = sorted(first)
    own = scores[[first[item] for item in items]]
    order: Ints = np.lexsort((uniform_keys(session, items, seed), -own))
    return tuple(items[int(place)] for place in order)


def rank_session(baseline: Baseline, session: Session, *, seed: int = 0) -> tuple[str, ...]:
    """Let a baseline rank a session's candidates; see `rank_candidates`. It never sees the target.

    Raises:
        InputError: There are no candidates.
    """
    blind = replace(session, target=None)
    return rank_candidates(blind, baseline.score(blind), seed=seed)


def rank_targets(baseline: Baseline, sessions: Sequence[Session], *, seed: int = 0) -> Ints:
    """Return where a baseline puts each session's target.

    Args:
        seed: The seed of the order among ties.

    Returns:
        Int64 array of shape `(len(sessions),)`: 1-based ranks, 0 if the target is not among the
        candidates.

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
