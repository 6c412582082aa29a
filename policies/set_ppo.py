"""Decisions one after another: a policy picks hints until it stops, and the set earns a reward.

An episode is one session. Its state is the session's and what was picked so far; picked hints are
masked, and a full set ends it. The gain of the whole set over no hint comes with the last step;
each hint after the first costs its price when it is picked. Nothing is bootstrapped from one
session to another.

Shapes: `B` sessions, `N` steps of all of them, `H` hints, `D` dimensions of a session's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .ppo import ActorCritic, PPOConfig, PPOTrainer, Rewards, Trajectories, sample

LAST = -1
"""Stands for the step after the last one of an episode."""


@dataclass(frozen=True, slots=True)
class SetRules:
    """What a set of hints may hold, and what it costs.

    Attributes:
        hints: `H`.
        most: Hints that a set holds at most.
        prices: The price of each hint in units of the reward, `[H]`; the first that is picked is
            free.
    """

    hints: int
    most: int
    prices: NDArray[np.floating]

    @property
    def costs(self) -> NDArray[np.float64]:
        """What each action costs after the first, `[1 + H]`; giving no further hint is free."""
        return np.concatenate([[0.0], self.prices])

    def price(self, picks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what sets cost, `[B]`.

        Args:
            picks: Actions in the order in which they were picked, 0 for none, `[B, K]`.
        """
        return self.costs[picks[:, 1:]].sum(axis=1)


class Episodes(NamedTuple):
    """The steps of some sessions, all first steps first, then all second steps, and so on."""

    steps: Trajectories
    """`states` are those of `with_picked`, `[N, D + H]`; `rewards` are those of each step."""
    following: NDArray[np.int64]
    """The row of the same session's next step, or `LAST`, `[N]`."""
    picks: NDArray[np.int64]
    """The hints' actions in the order in which they were picked, 0 for none, `[B, most]`."""


def with_picked(states: Tensor, picked: Tensor) -> Tensor:
    """Return states that say what was picked, `[B, D + H]`.

    Args:
        states: States of the sessions, `[B, D]`.
        picked: 1 for each hint that was picked, else 0, `[B, H]`.
    """
    return torch.cat([states, picked], dim=1)


def play(
    act: ActorCritic,
    states: Tensor,
    sessions: NDArray[np.int64],
    rewards: Rewards,
    rules: SetRules,
    generator: torch.Generator,
) -> Episodes:
    """Let a policy pick hints in each session until it stops.

    Args:
        act: Maps states of `with_picked` to outputs; it masks the picked hints.
        states: States of the sessions, `[B, D]`.
        sessions: The ids by which `rewards` knows them, `[B]`.
        rewards: Given sessions `[B]` and picks `[B, most]`, the reward of each set, `[B]`.
    """
    count = len(states)
    picked = torch.zeros(count, rules.hints, dtype=states.dtype)
    picks = np.zeros((count, rules.most), dtype=np.int64)
    playing = np.arange(count)
    last = np.zeros(count, dtype=np.int64)
    parts: list[Trajectories] = []
    following: list[NDArray[np.int64]] = []
    rows = 0
    for step in range(rules.most):
        inputs = with_picked(states[playing], picked[playing])
        with torch.no_grad():
            outputs = act(inputs)
            actions = sample(outputs.log_probabilities, generator)
            taken = outputs.log_probabilities.gather(1, actions[:, None]).squeeze(1)
        chosen = actions.numpy()
        picks[playing, step] = chosen
        cost = rules.costs[chosen] if step else np.zeros(len(chosen))
        parts.append(Trajectories(inputs, actions, taken, outputs.values, torch.as_tensor(-cost)))
        last[playing] = rows + np.arange(len(playing))
        rows += len(playing)
        goes_on = (chosen > 0) & (step + 1 < rules.most)
        after = np.full(len(playing), LAST)
        after[goes_on] = rows + np.arange(int(goes_on.sum()))
        following.append(after)
        picked[playing[goes_on], chosen[goes_on] - 1] = 1.0
        playing = playing[goes_on]
        if not len(playing):
            break
    steps = Trajectories(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
    earned = torch.zeros(rows, dtype=torch.float64)
    earned[last] = torch.as_tensor(rewards(sessions, picks), dtype=torch.float64)
    steps = steps._replace(rewards=(steps.rewards + earned).to(states.dtype))
    return Episodes(steps, np.concatenate(following), picks)


def lambda_returns(episodes: Episodes, gae_lambda: float) -> Tensor:
    """Return each step's return, `[N]`: minus its value, that is its GAE without discount.

    `R = r + (1 - λ) V' + λ R'` within the session, and `r` at its last step; so
    `R - V` is the sum of `λ^i (r + V' - V)` over the steps that follow (Schulman et al., 2016,
    arXiv 1506.02438, equation 16). A session of one step has the return `r`, exactly.

    Args:
        gae_lambda: λ: 1 looks at what the whole set earned, 0 at the next state's value.
    """
    returns = episodes.steps.rewards.numpy().copy()
    values = episodes.steps.values.numpy()
    following: list[int] = episodes.following.tolist()
    for row in reversed(range(len(returns))):  # a step's successor comes after it
        after = following[row]
        if after != LAST:
            returns[row] += (1 - gae_lambda) * values[after] + gae_lambda * returns[after]
    return torch.as_tensor(returns)


class SetTrainer(PPOTrainer):
    """PPO for a policy that picks hints one after another.

    Args:
        module: As for `PPOTrainer`.
        config: The settings.
        act: Maps states of `with_picked` to outputs.
        rules: What a set may hold.
    """

    def __init__(
        self, module: nn.Module, config: PPOConfig, act: ActorCritic, rules: SetRules
    ) -> None:
        super().__init__(module, config, act)
        self._rules = rules

    def collect(
        self, states: Tensor, sessions: NDArray[np.int64], rewards: Rewards
    ) -> Trajectories:
        """Pick hints in each session and look up what the sets earn.

        Args:
            states: States of the sessions, `[B, D]`.
            sessions: The ids by which `rewards` knows them, `[B]`.
            rewards: Asked for the picks of each session, `[B, most]`.

        Returns:
            All steps, each with its return in place of its reward: a decision whose consequences
            are settled, as `learn` expects.
        """
        played = play(self._act, states, sessions, rewards, self._rules, self._generator)
        self.earned = float(played.steps.rewards.double().sum()) / max(len(states), 1)
        return played.steps._replace(rewards=lambda_returns(played, self.config.gae_lambda))
