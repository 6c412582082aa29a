"""Node `check`: turns any answer of the model into a ranking of all candidates."""

from __future__ import annotations

from ..errors import ModelDownError, failure_among
from ..ranking.logged import logged
from ..ranking.settle import settle_ranking
from ..ranking.state import RecommendState
from ..records import Flag
from ..runtime.node import Update, node
from ..runtime.options import RunOptions


@node
async def check(state: RecommendState, options: RunOptions) -> Update:
    """Read the ranking, ask for one repair if it is incomplete, and add what is still missing.

    A training session is kept as a trial; any other request is logged, unless the run records none.

    Returns:
        The final ranking, flagged if anything was wrong.

    Raises:
        ModelDownError: The target is known and the model was down, so it missed nothing.
    """
    update = await settle_ranking(state, options)
    if "missed" in update and Flag.MODEL_FAILED in update["flags"]:
        raise ModelDownError(options.model, failure_among(update["flags"]), update["model_error"])
    if options.record and state.get("training_session") is None:
        return await logged(state, update, options)
    return update
