"""Candidates for evaluation: the target among items drawn at random.

The protocol of Re2LLM (arXiv 2403.16427): the target and 49 uniform negatives outside the history,
shuffled.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from dataclasses import replace

from ..errors import InputError
from ..records import Session, counted

CANDIDATES = 50
"""How many candidates a session gets, the target included, if the catalogue has as many."""

_FEWEST = 2
MORE_ITEMS = "Load more items, or give the session candidates."
"""What helps a session that cannot be completed."""


class NegativeSampler:
    """Draws candidates for any number of sessions from one catalogue.

    A session's draw depends only on the seed, the catalogue's set of ids, and the session's
    history, target and `repeat`: not on the order of the catalogue, nor on the sessions drawn
    before.
    """

    def __init__(self, catalogue_ids: Iterable[str], *, n: int = CANDIDATES, seed: int) -> None:
        if n < _FEWEST:
            raise InputError("n", f"is {n}.", "Ask for at least 2 candidates.")
        self._n = n
        self._seed = seed
        self._known = frozenset(catalogue_ids)
        self._ids = sorted(self._known)

    def with_candidates(self, session: Session) -> Session:
        """Return the session with candidates: its target and up to n - 1 different other items.

        The others are uniform over the catalogue without the history and the target, and all
        candidates are shuffled together. A small catalogue gives as many as it has. A target that
        is also in the history is still a candidate. Existing candidates are kept.

        Raises:
            InputError: The target is missing or not in the catalogue, or there is no other item.
        """
        if session.candidates is not None:
            return session
        if session.target is None:
            remedy = "Give the target, or the candidates."
            raise InputError("target", "is missing, so no candidates can be drawn for it.", remedy)
        if session.target not in self._known:
            problem = f"{session.target!r} is not in the catalogue."
            raise InputError("target", problem, "Load the catalogue that the session is from.")
        excluded = self._excluded(session)
        wanted = min(self._n - 1, len(self._ids) - len(excluded))
        if not wanted:
            raise InputError(
                "sessions",
                f"One with the target {session.target!r} {self.lacks(session)}.",
                MORE_ITEMS,
            )
        draw = random.Random(_session_seed(self._seed, session))
        # A uniform sample without the excluded ids is a uniform sample of the others.
        places = draw.sample(range(len(self._ids)), wanted + len(excluded))
        negatives = [item for place in places if (item := self._ids[place]) not in excluded]
        candidates = [session.target, *negatives[:wanted]]
        draw.shuffle(candidates)
        return replace(session, candidates=tuple(candidates))

    def can_complete(self, session: Session) -> bool:
        """Return whether a session has candidates, or the catalogue has negatives for it."""
        return session.candidates is not None or len(self._excluded(session)) < len(self._ids)

    def lacks(self, session: Session) -> str:
        """Say why a session cannot be completed; empty if it can."""
        if self.can_complete(session):
            return ""
        items = counted(len(self._ids), "item")
        return f"holds all {items} of the catalogue, so there is none to rank its target against"

    def _excluded(self, session: Session) -> frozenset[str | None]:
        return self._known & {*session.history, session.target}


def with_candidates(
    session: Session, catalogue_ids: Iterable[str], *, n: int = CANDIDATES, seed: int
) -> Session:
    """Return one session with candidates; see `NegativeSampler`, which is faster for many."""
    return NegativeSampler(catalogue_ids, n=n, seed=seed).with_candidates(session)


def _session_seed(seed: int, session: Session) -> int:
    own = [session.repeat] if session.repeat else []
    content = json.dumps([seed, session.history, session.target, *own])
    return int.from_bytes(hashlib.sha256(content.encode()).digest())
