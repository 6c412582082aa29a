"""Choosing a hint for a session, or none, by a learned policy.

Shapes: `B` sessions, `D` state dimensions, `H` hints. Action 0 gives no hint, `i + 1` hint `i`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .hint_features import HintFeatures
from .networks import HintPolicy
from .ppo import sample


class Choice(NamedTuple):
    """An action, and the probability with which it was chosen."""

    action: int
    probability: float


def greedy_actions(
    policy: HintPolicy, states: NDArray[np.floating], hints: HintFeatures
) -> NDArray[np.int64]:
    """Return the likeliest action in each state `[B, D]`, `[B]`; ties go to the lowest."""
    with torch.no_grad():
        inputs = torch.as_tensor(states, dtype=torch.float32)
        return policy.log_probabilities(inputs, hints).argmax(-1).numpy()


def action_probabilities(
    policy: HintPolicy, state: NDArray[np.floating], hints: HintFeatures, *, sampled: bool
) -> NDArray[np.float64]:
    """Return the probability of each action in a state `[D]`, `[H + 1]`.

    If `sampled`, the policy draws from its probabilities; else the likeliest action has 1.
    """
    with torch.no_grad():
        log_probabilities = policy.log_probabilities(_one(state), hints)[0]
    probabilities = log_probabilities.double().exp().numpy()
    if sampled:
        return probabilities
    return np.eye(len(probabilities))[int(log_probabilities.argmax())]


def choose(
    policy: HintPolicy,
    state: NDArray[np.floating],
    hints: HintFeatures,
    *,
    explore_seed: int | None = None,
) -> Choice:
    """Choose for one session.

    Args:
        state: `[D]`.
        explore_seed: Draws from the policy's probabilities; `None` takes the likeliest.

    Returns:
        The action and its true probability, which is 1 for the likeliest.
    """
    with one_thread(), torch.inference_mode():
        log_probabilities = policy.log_probabilities(_one(state), hints)
        if explore_seed is None:
            return Choice(int(log_probabilities.argmax()), 1.0)
        action = int(sample(log_probabilities, torch.Generator().manual_seed(explore_seed)))
        return Choice(action, float(log_probabilities[0, action].exp()))


@contextmanager
def one_thread() -> Generator[None]:
    """Let torch compute in the calling thread only: for a small network, waking others is slower.

    Threads that already run, such as a text encoder's, keep their setting.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _one(state: NDArray[np.floating]) -> Tensor:
    return torch.as_tensor(state, dtype=torch.float32)[None]
