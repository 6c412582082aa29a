"""Node `recommend`: the ranking call."""

from __future__ import annotations

from ..ranking.model_ranking import request_ranking
from ..ranking.state import RecommendState
from ..runtime.node import Update, node
from ..runtime.options import RunOptions


@node
async def recommend(state: RecommendState, options: RunOptions) -> Update:
    """Ask the model for a ranking.

    A model that fails leaves an empty answer and the flag `model_failed`; `check` completes it.

    Returns:
        The raw answer, with its latency and tokens.
    """
    update = await request_ranking(state, options)
    return {**update, "flags": [*state["flags"], *update["flags"]]}
