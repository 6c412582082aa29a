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
from numpy.typing import NDArray

from .actors import HintActor
from .hint_features import HintFeatures
from .hint_policy import drawn, greedy_actions

Picks = NDArray[np.int64]
"""Actions in the order in which they were picked, 0 for none, `[B, K]`."""


class Picked(NamedTuple):
    """A set of hints, and how it came about.

    Attributes:
        actions: The actions of the hints, in the order in which they were picked; empty for none.
        steps: Probability of each step given those before, the last one perhaps of stopping.
        probability: The probability of the set, in any order.
    """

    actions: tuple[int, ...]
    steps: tuple[float, ...]
    probability: float


def most_hints(actor: HintActor, limit: int | None = None) -> int:
    """Return how many hints a policy picks at most, and no more than `limit`."""
    most = actor.config.most
    return most if limit is None else min(most, limit)


def greedy_picks(
    actor: HintActor, states: NDArray[np.floating], hints: HintFeatures, most: int
) -> Picks:
    """Return the hints that are picked in each state `[B, D]` by the likeliest step each time."""
    if most == 1:
        return greedy_actions(actor, states, hints)[:, None]
    return _picks(actor, states, hints, most, lambda scores: scores.argmax(-1))[0]


def drawn_picks(
    actor: HintActor, state: NDArray[np.floating], hints: HintFeatures, most: int, count: int
) -> Picks:
    """Draw `count` sets in one state `[D]`, always the same ones."""
    generator = np.random.default_rng(0)
    states = np.repeat(np.asarray(state)[None], count, axis=0)
    return _picks(actor, states, hints, most, lambda scores: drawn(scores, generator))[0]


def pick(
    actor: HintActor,
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
    states = np.asarray(state)[None]
    if most == 1:
        return _pick_one(actor, states, hints, explore_seed)
    if explore_seed is None:
        row = greedy_picks(actor, states, hints, most)[0]
        actions = tuple(int(action) for action in row if action)
        return Picked(actions, (1.0,) * min(len(actions) + 1, most), 1.0)
    generator = np.random.default_rng(explore_seed)
    picks, shares = _picks(actor, states, hints, most, lambda s: drawn(s, generator))
    actions = tuple(int(action) for action in picks[0] if action)
    steps = tuple(float(share) for share in shares[0][: min(len(actions) + 1, most)])
    return Picked(actions, steps, set_probability(actor, state, hints, actions, most=most))


def _pick_one(
    actor: HintActor, states: NDArray[np.floating], hints: HintFeatures, explore_seed: int | None
) -> Picked:
    """Pick a hint or none, in one step, for one session `[1, D]`."""
    scores = actor.log_probabilities(states, hints)
    if explore_seed is None:
        action, probability = int(scores.argmax()), 1.0
    else:
        action = int(drawn(scores, np.random.default_rng(explore_seed))[0])
        probability = float(np.exp(scores[0, action]))
    return Picked((action,) if action else (), (), probability)


def set_probability(
    actor: HintActor,
    state: NDArray[np.floating],
    hints: HintFeatures,
    actions: Sequence[int],
    *,
    most: int,
) -> float:
    """Return the probability that a policy that draws picks these hints, in any order.

    Args:
        state: `[D]`.
        actions: The hints' actions, none twice.
        most: Hints that it picks at most.
    """
    chosen = sorted(actions)
    if len(chosen) > most:
        return 0.0
    subsets = [part for size in range(len(chosen) + 1) for part in combinations(chosen, size)]
    picked = np.zeros((len(subsets), len(hints)), dtype=np.float32)
    for row, part in enumerate(subsets):
        picked[row, [action - 1 for action in part]] = 1.0
    states = np.broadcast_to(np.asarray(state), (len(subsets), len(state)))
    scores = np.exp(actor.log_probabilities(states, hints, picked))
    # How likely each subset is reached on the way: by its last hint from one that lacks it.
    reached: dict[tuple[int, ...], float] = {(): 1.0}
    rows = {part: row for row, part in enumerate(subsets)}
    for part in subsets[1:]:
        before = ((tuple(a for a in part if a != action), action) for action in part)
        reached[part] = sum(reached[less] * float(scores[rows[less], a]) for less, a in before)
    stops = 1.0 if len(chosen) == most else float(scores[-1, 0])
    return min(1.0, reached[tuple(chosen)] * stops)


def _picks(
    actor: HintActor,
    states: NDArray[np.floating],
    hints: HintFeatures,
    most: int,
    decide: Callable[[NDArray[np.float64]], NDArray[np.int64]],
) -> tuple[Picks, NDArray[np.float64]]:
    """Return what is picked in each state, and the probability of each step, `[B, most]`."""
    picked = np.zeros((len(states), len(hints)), dtype=np.float32)
    picks = np.zeros((len(states), most), dtype=np.int64)
    shares = np.ones((len(states), most))
    playing = np.arange(len(states))
    for step in range(most):
        scores = actor.log_probabilities(states[playing], hints, picked[playing])
        chosen = decide(scores)
        picks[playing, step] = chosen
        shares[playing, step] = np.exp(scores[np.arange(len(chosen)), chosen])
        goes_on = chosen > 0
        picked[playing[goes_on], chosen[goes_on] - 1] = 1.0
        playing = playing[goes_on]
        if not len(playing):
            break
    return picks, shares
