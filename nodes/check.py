"""Node `check`: turns any answer of the model into a ranking of all candidates, and logs it."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from ..errors import ModelDownError, failure_among
from ..knowledge.engine import unreachable
from ..knowledge.log.recommendations import Recommendation
from ..ranking.exposures import emit_exposure, exposure_of
from ..ranking.prompt import recipe_of
from ..ranking.rollouts import look_soon
from ..ranking.settle import settle_ranking
from ..ranking.state import RecommendState
from ..records import Flag
from ..runtime.node import Update, node
from ..runtime.options import RunOptions

_log = logging.getLogger(__name__)


@node
async def check(state: RecommendState, options: RunOptions) -> Update:
    """Read the ranking, ask for one repair if it is incomplete, and add what is still missing.

    Returns:
        The final ranking, flagged if anything was wrong.

    Raises:
        ModelDownError: The target is known and the model was down, so it missed nothing.
    """
    update = await settle_ranking(state, options)
    if "missed" in update and Flag.MODEL_FAILED in update["flags"]:
        raise ModelDownError(options.model, failure_among(update["flags"]), update["model_error"])
    if options.record and state.get("training_session") is None:
        try:
            update["recommendation_id"] = await _logged(state, update, options)
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


async def _logged(state: RecommendState, update: Update, options: RunOptions) -> str:
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
