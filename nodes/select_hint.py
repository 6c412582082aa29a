"""Node `select_hint`: chooses the hints that go into the ranking prompt, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from ..ranking.ask import needs_model
from ..ranking.choosers import CHOOSERS, chosen_by_caller
from ..ranking.chosen import Chosen
from ..ranking.given import given
from ..ranking.opinion import learned_fusion
from ..ranking.serving_state import serving_state_of
from ..ranking.state import RecommendState
from ..runtime.node import Update, node
from ..runtime.options import RunOptions

_FROM_SERVING_STATE = frozenset({"ppo", "static"})
"""Policies that read the domain's active release or best hint."""


@node
async def select_hint(state: RecommendState, options: RunOptions) -> Update:
    """Let the run's policy choose hints.

    Returns:
        The choice with its probabilities.
    """
    training = state.get("training_session") is not None
    # Learning looks for what the model misses without a hint.
    policy = "none" if training or not options.asks_model else options.policy
    named = options.hint_id is not None or options.hint is not None
    choose = chosen_by_caller if named else CHOOSERS[policy]
    if not training and (policy in _FROM_SERVING_STATE or options.fuse == "learned"):
        options = replace(options, serving_state=await serving_state_of(options, state["domain"]))
    chosen = await choose(state, options)
    fusion: Update = {}
    if not training:  # its trials must not depend on when they are made
        hinted = chosen.hint is not None
        fusion = await learned_fusion(state["domain"], policy, options, hinted=hinted)
    # A hint that no model reads was not given: feedback must not be credited to it.
    unread = not needs_model(cast("RecommendState", {**state, **fusion}), options)
    if unread and not named:
        # It still counts for a rollout, which would otherwise wait forever for people.
        assignment = chosen.assignment and {**chosen.assignment, "differs": False}
        chosen, policy = Chosen(None, 1.0, assignment=assignment), "none"
    name = chosen.policy or policy
    return {
        **fusion,
        "flags": [*state["flags"], *chosen.flags],
        **given(chosen.hints, name, chosen.probability, chosen.steps),
        "assignment": chosen.assignment,
    }
