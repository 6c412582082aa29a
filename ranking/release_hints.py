"""The hints that a release chooses from in a session."""

from __future__ import annotations

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.hint_store.hints import Hint, HintAndEmbedding
from ..knowledge.hint_store.shortlist import active_among, shortlist
from ..runtime.options import RunOptions
from .release_cache import with_embeddings
from .served_policy import ServedPolicy
from .state import RecommendState


async def release_hints(
    served: ServedPolicy,
    state: RecommendState,
    options: RunOptions,
    connection: AsyncConnection,
    *,
    shortlisted: list[Hint] | None = None,
) -> list[HintAndEmbedding]:
    """Return the active hints that a release chooses from, with stats of them for its model.

    The stats are those of its training, if it keeps them.

    Args:
        served: The release.
        state: The session's state.
        shortlisted: The session's shortlist, filled in by the first release that needs it.
    """
    release, domain_id = served.release, state["domain_id"]
    trained_for = release.prompted_model
    if release.recipe == "paper":
        listed = await active_among(connection, domain_id, release.hint_ids, trained_for)
    else:
        listed = [] if shortlisted is None else shortlisted
        if not listed:
            embedding = np.array(state["session_embedding"], dtype=np.float32)
            count = options.settings.shortlist
            listed += await shortlist(connection, domain_id, embedding, trained_for, count=count)
    if served.choice is not None:
        if len(listed) >= options.settings.shortlist:  # it may lack some of the training
            trained = await active_among(connection, domain_id, release.hint_ids, trained_for)
            listed = list({hint.id: hint for hint in [*trained, *listed]}.values())
        listed = served.choice.as_trained(listed)
    return await with_embeddings(options.services, connection, domain_id, listed)
