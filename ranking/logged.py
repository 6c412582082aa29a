"""Logs a recommendation, and what it says in a rollout."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from ..knowledge.engine import unreachable
from ..knowledge.log.recommendations import Recommendation
from ..records import Flag
from ..runtime.node import Update
from ..runtime.options import RunOptions
from .exposures import emit_exposure, exposure_of
from .prompt import recipe_of
from .rollouts import look_soon
from .state import RecommendState

_log = logging.getLogger(__name__)


async def logged(state: RecommendState, update: Update, options: RunOptions) -> Update:
    """Log a ranking, and of a request in a rollout what it was served.

    Args:
        state: The request's state.
        update: The ranking from `settle_ranking`.

    Returns:
        The update with the recommendation's id; with the flag `not_logged` where the database
        failed.
    """
    try:
        update["recommendation_id"] = await _stored(state, update, options)
        assignment = state.get("assignment")
        if assignment is not None:
            emit_exposure(assignment, state["domain"], state.get("requester"))
            look_soon(options.services, assignment["rollout"])
    except (OSError, SQLAlchemyError) as error:
        # The ranking is paid for, so it must reach its caller.
        why = unreachable(options.services.engine, error)
        _log.warning("a recommendation was not logged: %s", why)
        update["flags"] = [*update["flags"], Flag.NOT_LOGGED]
    return update


async def _stored(state: RecommendState, update: Update, options: RunOptions) -> str:
    picked = state.get("hints") or ()
    made = Recommendation(
        domain_id=state["domain_id"],
        history=state["history"],
        candidates=[item["id"] for item in state["candidate_items"]],
        ranking=update["ranking"],
        policy=state["hint"]["policy"],
        hint_id=state["hint"]["id"],
        hint_ids=[one["id"] for one in picked if one["id"]] if len(picked) > 1 else (),
        probability=state["hint"]["probability"],
        step_probabilities=state.get("step_probabilities") or (),
        model=options.model,
        prompt_version=options.version_of(recipe_of(state, options)),
        flags=[str(flag) for flag in update["flags"]],
        latency_ms=update["latency_ms"],
        tokens=update["tokens"],
        source=options.source,
    )
    assignment = state.get("assignment")
    exposure = None
    if assignment is not None:
        exposure = exposure_of(
            assignment,
            flags=list(made.flags),
            full_usage=update["full_usage"],
            prices=options.settings.prices,
            model=options.model,
            source=made.source,
        )
    await options.services.answered.add((made, exposure))
    return str(made.id)
