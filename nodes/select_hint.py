"""Node `select_hint`: chooses the hints that go into the ranking prompt, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from ..ranking.canary import Weighed, with_comparison
from ..ranking.choosers import CHOOSERS, chosen_by_caller
from ..ranking.chosen import Chosen
from ..ranking.given import given
from ..ranking.model_ranking import needs_model
from ..ranking.opinion import fusion_of, learned_fusion
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
    choice = await choose(state, options)
    choice = replace(choice, policy=choice.policy or policy)
    fusion, weighed = await _weighed(choice, state, options)
    chosen = choice if named else weighed.chosen
    if choice.assignment is not None:
        beside = choice.beside and (await _weighed(choice.beside, state, options))[1]
        chosen = with_comparison(weighed, beside, choice.assignment)
    return {
        **fusion,
        "flags": [*state["flags"], *chosen.flags],
        **given(chosen.hints, chosen.policy or policy, chosen.probability, chosen.steps),
        "assignment": chosen.assignment,
    }


async def _weighed(
    chosen: Chosen, state: RecommendState, options: RunOptions
) -> tuple[Update, Weighed]:
    """Return what was learned about the model's opinion with a choice, and what comes of both."""
    fusion: Update = {"fusion": None, "weight_of": None}
    if state.get("training_session") is None:  # its trials must not depend on when they are made
        hinted = chosen.hint is not None
        name = chosen.policy or options.policy
        fusion = await learned_fusion(state["domain"], name, options, hinted=hinted)
    served = cast("RecommendState", {**state, **fusion})
    asks = needs_model(served, options)
    # A hint that no model reads was not given: feedback must not be credited to it.
    read = chosen if asks else Chosen(None, 1.0, policy="none")
    return fusion, Weighed(read, fusion_of(served), asks)
