"""Node `select_hint`: chooses the hint that goes into the ranking prompt, or none."""

from __future__ import annotations

from typing import cast

from ..ranking.ask import needs_model
from ..ranking.choosers import CHOOSERS, Chosen, chosen_by_caller
from ..ranking.opinion import learned_fusion
from ..ranking.state import RecommendState
from ..runtime.node import Update, node
from ..runtime.options import RunOptions


@node
async def select_hint(state: RecommendState, options: RunOptions) -> Update:
    """Let the run's policy choose a hint.

    Returns:
        The choice with its probability.
    """
    # Learning asks what the model misses on its own.
    training = state.get("training_session") is not None
    policy = "none" if training else options.policy
    given = options.hint_id is not None or options.hint is not None
    if not options.asks_model:
        policy = "none"
    choose = chosen_by_caller if given else CHOOSERS[policy]
    async with options.services.autocommit.connect() as connection:
        chosen = await choose(connection, state, options)
        fusion: Update = {}
        if not training:  # its trials must not depend on when they are made
            hinted = chosen.hint is not None
            fusion = await learned_fusion(
                connection, state["domain_id"], policy, options, hinted=hinted
            )
    # A hint that no model reads was not given: feedback must not be credited to it.
    unread = not needs_model(cast("RecommendState", {**state, **fusion}), options)
    if unread and not given:
        chosen, policy = Chosen(None, 1.0), "none"
    hint = chosen.hint
    return {
        **fusion,
        "flags": [*state["flags"], *chosen.flags],
        "hint": {
            "id": hint.id or None if hint else None,
            "text": hint.text if hint else None,
            "policy": chosen.policy or policy,
            "probability": chosen.probability,
        },
    }
