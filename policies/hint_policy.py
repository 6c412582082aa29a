"""Choosing a hint for a session, or none, by a learned policy.

Shapes: `B` sessions, `D` state dimensions, `H` hints. Action 0 gives no hint, `i + 1` hint `i`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .content_policy import ContentConfig, ContentPolicy
from .hint_features import HintFeatures
from .paper_policy import PaperConfig, PaperPolicy
from .ppo import Outputs, masked_log_softmax, sample
from .threads import one_thread

__all__ = [
    "Choice",
    "ContentConfig",
    "ContentPolicy",
    "Ensemble",
    "HintPolicy",
    "PaperConfig",
    "PaperPolicy",
    "action_probabilities",
    "choose",
    "greedy_actions",
]


class Ensemble(nn.Module):
    """Several content policies that decide together: what only one of them sees is mostly noise.

    Args:
        members: Trained from different seeds; all of the same shape.
    """

    def __init__(self, members: Sequence[ContentPolicy]) -> None:
        super().__init__()
        self.config = members[0].config
        self.members = nn.ModuleList(members)

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Average what the members have learned, and their values.

        Args:
            states: `[B, D]`.
            hints: Any number of them.
        """
        members = self._members
        return Outputs(
            self.log_probabilities(states, hints),
            torch.stack([member.values(states) for member in members]).mean(0),
            masked_log_softmax(members[0].prior_logits(hints)[None], hints.mask).squeeze(0),
        )

    def log_probabilities(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return what `forward` says of each action, without the critics: all that choosing needs.

        The prior is the same for all, and a softmax of the mean undoes those of the members.

        Args:
            states: `[B, D]`.
            hints: Any number of them.
        """
        members = self._members
        learned = torch.stack([member.learned_logits(states, hints) for member in members])
        return masked_log_softmax(members[0].prior_logits(hints) + learned.mean(0), hints.mask)

    @property
    def _members(self) -> list[ContentPolicy]:
        return list(self.members)  # pyright: ignore[reportReturnType]  # torch knows modules only


HintPolicy = ContentPolicy | PaperPolicy | Ensemble


class Choice(NamedTuple):
    """An action, and the probability with which it was chosen."""

    action: int
    probability: float


def greedy_actions(
    policy: HintPolicy, states: NDArray[np.floating], hints: HintFeatures
) -> NDArray[np.int64]:
    """Return the likeliest action in each state, `[B]`; ties go to the lowest.

    Args:
        policy: Any.
        states: `[B, D]`.
        hints: To choose from.
    """
    with torch.no_grad():
        inputs = torch.as_tensor(states, dtype=torch.float32)
        return policy.log_probabilities(inputs, hints).argmax(-1).numpy()


def action_probabilities(
    policy: HintPolicy, state: NDArray[np.floating], hints: HintFeatures, *, sampled: bool
) -> NDArray[np.float64]:
    """Return the probability of each action, `[H + 1]`.

    Args:
        policy: Any.
        state: `[D]`.
        hints: To choose from.
        sampled: Whether it draws from its probabilities; else the likeliest action has 1.
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
        policy: Any.
        state: `[D]`.
        hints: To choose from.
        explore_seed: Draws from the policy's probabilities; `None` takes the likeliest.

    Returns:
        The action and its true probability: 1 for the likeliest, which is chosen for certain.
    """
    with one_thread(), torch.inference_mode():
        log_probabilities = policy.log_probabilities(_one(state), hints)
        if explore_seed is None:
            return Choice(int(log_probabilities.argmax()), 1.0)
        action = int(sample(log_probabilities, torch.Generator().manual_seed(explore_seed)))
        return Choice(action, float(log_probabilities[0, action].exp()))


def _one(state: NDArray[np.floating]) -> Tensor:
    return torch.as_tensor(state, dtype=torch.float32)[None]
