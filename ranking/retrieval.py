"""Finds candidates for a request that names none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ..knowledge.domains import Domain
from ..knowledge.vector_search import nearest_ids
from ..runtime.domain_cache import most_chosen_of, vectors_of
from ..runtime.services import Services

_POOL = 200
"""Items of each kind that the first stage chooses from."""


async def retrieved(
    services: Services,
    domain: Domain,
    history: Sequence[str],
    embedding: NDArray[np.float32],
    count: int,
    *,
    warm: bool,
) -> list[str]:
    """Return the items nearest in meaning and the most chosen ones, without the history.

    Args:
        embedding: The session's embedding, shape `[384]`.
        count: How many candidates are wanted.
        warm: Whether there are training sessions; without them only meaning counts.

    Returns:
        Ids of at least `count` items, if the catalogue has as many; the first stage keeps the best.
    """
    most = max(_POOL, count) if warm else count
    vectors = await vectors_of(services, domain)
    if vectors is not None:
        near = vectors.nearest(embedding, count=most, exclude=history)
    else:
        async with services.autocommit.connect() as connection:
            near = await nearest_ids(connection, domain, embedding, count=most, exclude=history)
    if not warm:
        return near
    known = frozenset(history)
    chosen = await most_chosen_of(services, domain)
    others = islice((item for item in chosen if item not in known), _POOL)
    return list(dict.fromkeys([*near, *others]))
