"""Choosing a hint for a session, or none, by a learned policy.

Shapes: `B` sessions, `D` state dimensions, `H` hints. Action 0 gives no hint, `i + 1` hint `i`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .actors import HintActor
from .hint_features import HintFeatures


def greedy_actions(
    actor: HintActor, states: NDArray[np.floating], hints: HintFeatures
) -> NDArray[np.int64]:
    """Return the likeliest action in each state `[B, D]`, `[B]`; ties go to the lowest."""
    return actor.log_probabilities(states, hints).argmax(-1)


def action_probabilities(
    actor: HintActor, state: NDArray[np.floating], hints: HintFeatures, *, sampled: bool
) -> NDArray[np.float64]:
    """Return the probability of each action in a state `[D]`, `[H + 1]`.

    If `sampled`, the policy draws from its probabilities; else the likeliest action has 1.
    """
    log_probabilities = actor.log_probabilities(np.asarray(state)[None], hints)[0]
    if sampled:
        return np.exp(log_probabilities)
    return np.eye(len(log_probabilities))[int(log_probabilities.argmax())]


def drawn(
    log_probabilities: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw one action per row, `[B]`, with Gumbel noise; exact for thousands of actions."""
    noise = generator.exponential(size=log_probabilities.shape)
    return (log_probabilities - np.log(np.maximum(noise, 1e-20))).argmax(-1)
