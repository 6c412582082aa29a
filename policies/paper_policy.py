"""The policy of arXiv 2403.16427: a network over a fixed set of hints."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .hint_features import HintFeatures
from .layers import mlp
from .ppo import Outputs, masked_log_softmax


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """Shape of the paper's policy.

    Attributes:
        state_size: `D`, the size of a session embedding.
        hints: How many hints there are, for good.
    """

    state_size: int
    hints: int


class PaperPolicy(nn.Module):
    """The network of arXiv 2403.16427, section 3.3: an MLP over a fixed set of hints.

    Args:
        config: Its shape.
    """

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        self.actor = mlp(config.state_size, 1 + config.hints, 0.01)
        self.critic = mlp(config.state_size, 1, 1.0)

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Score every action in every state.

        Args:
            states: Session embeddings, `[B, D]`.
            hints: The very hints that it was made for, in the same order.

        Raises:
            ValueError: Another number of hints.
        """
        return Outputs(self.log_probabilities(states, hints), self.critic(states).squeeze(-1))

    def log_probabilities(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return what `forward` says of each action, without the critic: all that choosing needs.

        Args:
            states: Session embeddings, `[B, D]`.
            hints: The very hints that it was made for, in the same order.

        Raises:
            ValueError: Another number of hints.
        """
        if len(hints) != self.config.hints:
            raise ValueError(
                f"hints: the paper policy was trained for {self.config.hints}, not {len(hints)}. "
                "Train again, or use the content policy."
            )
        return masked_log_softmax(self.actor(states), hints.mask)
