"""Parts the training sessions so that what shows a session's choice is in the same part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ...knowledge.sessions.chains import chains_of
from ...records import Session

FOLDS = 5


def fold_of(session: Session) -> int:
    """Return the fold of a session that stands alone."""
    content = json.dumps([session.history, session.target])
    return hashlib.sha256(content.encode()).digest()[0] % FOLDS


def folds_of(sessions: Sequence[tuple[int, Session]]) -> dict[int, int]:
    """Return the fold of each training session.

    A session, its copies and those that continue them share the fold of the shortest.

    Args:
        sessions: Key and session of all, in the order they were loaded.

    Returns:
        By key, from 0 to `FOLDS` - 1.
    """
    chains = chains_of([*s.history, s.target or ""] for _, s in sessions)
    roots: dict[int, Session] = {}
    for chain, (_, session) in zip(chains, sessions, strict=True):
        root = roots.setdefault(chain, session)
        if len(session.history) < len(root.history):
            roots[chain] = session
    folds = {chain: fold_of(root) for chain, root in roots.items()}
    return {key: folds[chain] for chain, (key, _) in zip(chains, sessions, strict=True)}
