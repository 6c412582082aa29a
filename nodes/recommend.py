"""Node `recommend`: asks the model to rank the best candidates, if that can change the order."""

from __future__ import annotations

from typing import cast

from ..ranking.given import unhinted
from ..ranking.model_ranking import request_ranking
from ..ranking.state import RecommendState
from ..runtime.node import Update, node
from ..runtime.options import RunOptions


@node
async def recommend(state: RecommendState, options: RunOptions) -> Update:
    """Ask the model for a ranking, unless that changes no order or is already paid for.

    A model that fails, or is not asked, leaves an empty answer, which `check` completes; one that
    fails leaves the flag `model_failed`, too.

    Returns:
        The raw answer, with its latency and tokens.
    """
    cleared = unhinted(state)
    update = await request_ranking(cast("RecommendState", {**state, **cleared}), options)
    return {**cleared, **update, "flags": [*state["flags"], *update["flags"]]}
