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
    named = not training and (options.hint_id is not None or options.hint is not None)
    choose = chosen_by_caller if named else CHOOSERS[policy]
    if not training and (policy in _FROM_SERVING_STATE or options.fuse == "learned"):
        options = replace(options, serving_state=await serving_state_of(options, state["domain"]))
    chosen = await choose(state, options)
    name = chosen.policy or policy
    hinted = chosen.hint is not None
    fusion: Update = {"fusion": None}
    if not training:  # its trials must not depend on when they are made
        fusion = await learned_fusion(state["domain"], name, options, hinted=hinted)
    # A hint that no model reads was not given: feedback must not be credited to it.
    unread = _unread(state, fusion, options)
    assignment = chosen.assignment
    if assignment and chosen.beside:
        other = await learned_fusion(state["domain"], chosen.beside, options, hinted=hinted)
        other_unread = _unread(state, other, options)
        # It counts for the rollout even if no model is asked: else it waits for people forever.
        if unread or other_unread:
            assignment = {**assignment, "differs": unread != other_unread}
    if unread and not named:
        chosen, name = Chosen(None, 1.0), "none"
    return {
        **fusion,
        "flags": [*state["flags"], *chosen.flags],
        **given(chosen.hints, name, chosen.probability, chosen.steps),
        "assignment": assignment,
    }


def _unread(state: RecommendState, fusion: Update, options: RunOptions) -> bool:
    return not needs_model(cast("RecommendState", {**state, **fusion}), options)
