"""Picking several hints for a session by a learned policy, one after another until it stops.

A set's probability counts every order in which it may be picked, since the prompt holds a set in
one order. Shapes: `B` sessions, `D` state dimensions, `H` hints, `K` hints at most. Action 0 stops,
`i + 1` picks hint `i`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .hint_features import HintFeatures
from .hint_policy import choose, greedy_actions, one_thread
from .networks import HintPolicy, PaperPolicy
from .ppo import sample
from .sequences import with_picked

Picks = NDArray[np.int64]
"""Actions in the order in which they were picked, 0 for none, `[B, K]`."""


class Picked(NamedTuple):
    """A set of hints, and how it came about.

    Attributes:
        actions: Of the hints, in the order in which they were picked; empty for none.
        steps: Probability of each step given those before, the last one perhaps of stopping.
        probability: Of the set, in whatever order.
    """

    actions: tuple[int, ...]
    steps: tuple[float, ...]
    probability: float


def most_hints(policy: HintPolicy, limit: int | None = None) -> int:
    """Return how many hints a policy picks at most, and no more than `limit`."""
    most = 1 if isinstance(policy, PaperPolicy) else policy.config.most
    return most if limit is None else min(most, limit)


def greedy_picks(
    policy: HintPolicy, states: NDArray[np.floating], hints: HintFeatures, most: int
) -> Picks:
    """Return the hints that are picked in each state `[B, D]` by the likeliest step each time."""
    if most == 1:
        return greedy_actions(policy, states, hints)[:, None]
    return _picks(policy, states, hints, most, lambda scores: scores.argmax(-1))[0]


def drawn_picks(
    policy: HintPolicy, state: NDArray[np.floating], hints: HintFeatures, most: int, count: int
) -> Picks:
    """Draw `count` sets in one state `[D]`, always the same ones."""
    generator = torch.Generator().manual_seed(0)
    states = np.repeat(np.asarray(state)[None], count, axis=0)
    return _picks(policy, states, hints, most, lambda scores: sample(scores, generator))[0]


def pick(
    policy: HintPolicy,
    state: NDArray[np.floating],
    hints: HintFeatures,
    *,
    most: int,
    explore_seed: int | None = None,
) -> Picked:
    """Pick hints for one session.

    Args:
        state: `[D]`.
        most: Hints to pick at most.
        explore_seed: Draws from the policy's probabilities; `None` takes the likeliest step.

    Returns:
        The hints with their true probabilities, which are 1 for the likeliest.
    """
    if most == 1:
        choice = choose(policy, state, hints, explore_seed=explore_seed)
        actions = (choice.action,) if choice.action else ()
        return Picked(actions, (), choice.probability)
    states = np.asarray(state)[None]
    with one_thread():
        if explore_seed is None:
            row = greedy_picks(policy, states, hints, most)[0]
            actions = tuple(int(action) for action in row if action)
            return Picked(actions, (1.0,) * min(len(actions) + 1, most), 1.0)
        generator = torch.Generator().manual_seed(explore_seed)
        picks, shares = _picks(policy, states, hints, most, lambda s: sample(s, generator))
        actions = tuple(int(action) for action in picks[0] if action)
        steps = tuple(float(share) for share in shares[0][: min(len(actions) + 1, most)])
        return Picked(actions, steps, set_probability(policy, state, hints, actions, most=most))


def set_probability(
    policy: HintPolicy,
    state: NDArray[np.floating],
    hints: HintFeatures,
    actions: Sequence[int],
    *,
    most: int,
) -> float:
    """Return the probability that a policy that draws picks these hints, in any order.

    Args:
        state: `[D]`.
        actions: Of the hints, none twice.
        most: Hints that it picks at most.
    """
    chosen = sorted(actions)
    if len(chosen) > most:
        return 0.0
    subsets = [part for size in range(len(chosen) + 1) for part in combinations(chosen, size)]
    picked = np.zeros((len(subsets), len(hints)), dtype=np.float32)
    for row, part in enumerate(subsets):
        picked[row, [action - 1 for action in part]] = 1.0
    states = torch.as_tensor(np.asarray(state), dtype=torch.float32).expand(len(subsets), -1)
    scores = _scores(policy, states, torch.as_tensor(picked), hints, most).double().exp().numpy()
    # How likely each subset is reached on the way: by its last hint from one that lacks it.
    reached: dict[tuple[int, ...], float] = {(): 1.0}
    rows = {part: row for row, part in enumerate(subsets)}
    for part in subsets[1:]:
        before = ((tuple(a for a in part if a != action), action) for action in part)
        reached[part] = sum(reached[less] * float(scores[rows[less], a]) for less, a in before)
    stops = 1.0 if len(chosen) == most else float(scores[-1, 0])
    return min(1.0, reached[tuple(chosen)] * stops)


def _scores(
    policy: HintPolicy, states: Tensor, picked: Tensor, hints: HintFeatures, most: int
) -> Tensor:
    inputs = states if most == 1 else with_picked(states, picked)
    with torch.no_grad():
        return policy.log_probabilities(inputs, hints)


def _picks(
    policy: HintPolicy,
    states: NDArray[np.floating],
    hints: HintFeatures,
    most: int,
    decide: Callable[[Tensor], Tensor],
) -> tuple[Picks, NDArray[np.float64]]:
    """Return what is picked in each state, and the probability of each step, `[B, most]`."""
    inputs = torch.as_tensor(np.asarray(states), dtype=torch.float32)
    picked = torch.zeros(len(inputs), len(hints))
    picks = np.zeros((len(inputs), most), dtype=np.int64)
    shares = np.ones((len(inputs), most))
    playing = np.arange(len(inputs))
    for step in range(most):
        scores = _scores(policy, inputs[playing], picked[playing], hints, most)
        actions = decide(scores)
        taken = scores.gather(1, actions[:, None]).squeeze(1)
        chosen = actions.numpy()
        picks[playing, step] = chosen
        shares[playing, step] = taken.double().exp().numpy()
        goes_on = chosen > 0
        picked[playing[goes_on], chosen[goes_on] - 1] = 1.0
        playing = playing[goes_on]
        if not len(playing):
            break
    return picks, shares
