"""Tells which sessions are parts of one that grew."""

# scipy.sparse has no types of its own.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from .continuations import Continuations, coded


def chains_of(sequences: Iterable[Sequence[str]]) -> list[int]:
    """Return the number of each session's chain: of its copies and all that continue one another.

    Args:
        sequences: The items of each session, the target last.
    """
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415  # it is slow to load

    index = Continuations(items := coded(sequences))
    rows = np.arange(len(items))
    if not len(rows):
        return []
    found = [index.of(row, directly=True) for row in rows.tolist()]
    alike = [np.append(copies[:1], more) for copies, more in found]
    mine, theirs = np.repeat(rows, [len(others) for others in alike]), np.concatenate(alike)
    links = sparse.coo_array((np.ones(len(mine)), (mine, theirs)), shape=(len(rows), len(rows)))
    joined: Any = connected_components(links, directed=False)
    return joined[1].tolist()
