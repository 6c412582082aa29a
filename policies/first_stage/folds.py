"""Parts the training sessions so that what shows a session's choice is in the same part."""

# scipy.sparse has no types of its own.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from ...knowledge.sessions.continuations import Continuations, coded
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
    index = Continuations(coded([*s.history, s.target or ""] for _, s in sessions))
    rows = np.arange(len(sessions))
    found = [index.of(row, directly=True) for row in rows.tolist()]
    alike = [np.append(copies[:1], more) for copies, more in found]
    mine = np.repeat(rows, [len(others) for others in alike])
    theirs = np.concatenate([rows[:0], *alike])
    links = sparse.coo_array((np.ones(len(mine)), (mine, theirs)), shape=(len(rows), len(rows)))
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415  # only a fit needs it

    joined: Any = connected_components(links, directed=False)
    chains: list[int] = joined[1].tolist()
    roots: dict[int, Session] = {}
    for chain, (_, session) in zip(chains, sessions, strict=True):
        root = roots.setdefault(chain, session)
        if len(session.history) < len(root.history):
            roots[chain] = session
    folds = {chain: fold_of(root) for chain, root in roots.items()}
    return {key: folds[chain] for chain, (key, _) in zip(chains, sessions, strict=True)}
