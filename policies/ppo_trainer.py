"""The learner: acts, learns from what it earned, and can stop and go on at any rollout.

Shapes: `B` sessions, `D` state dimensions.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .ppo import ActorCritic, Losses, PPOConfig, Rewards, Rollout, advantages, ppo_losses, sample


class PPOTrainer:
    """Improves a policy rollout by rollout.

    Args:
        module: Owns the parameters: actor and critic.
        config: The settings.
        act: What maps states to outputs; the module itself if `None`.
    """

    def __init__(
        self, module: nn.Module, config: PPOConfig, act: ActorCritic | None = None
    ) -> None:
        self.module = module
        self.config = config
        self.step = 0
        self._act: ActorCritic = module if act is None else act
        self._generator = torch.Generator().manual_seed(config.seed)
        self._optimizer = torch.optim.AdamW(
            module.parameters(),
            lr=config.learning_rate,
            eps=1e-5,
            weight_decay=config.weight_decay,
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda done: max(0.0, 1 - done / config.updates)
        )

    def collect(self, states: Tensor, sessions: NDArray[np.int64], rewards: Rewards) -> Rollout:
        """Act once in every state and look the rewards up.

        Args:
            states: `[B, D]`.
            sessions: What `rewards` knows the states by, `[B]`.
            rewards: Asked for the sampled actions only.
        """
        with torch.no_grad():
            outputs = self._act(states)
            actions = sample(outputs.log_probabilities, self._generator)
            taken = outputs.log_probabilities.gather(1, actions[:, None]).squeeze(1)
        paid = torch.as_tensor(rewards(sessions, actions.numpy()), dtype=states.dtype)
        return Rollout(states, actions, taken, outputs.values, paid)

    def learn(self, rollout: Rollout) -> Losses:
        """Go through a rollout `epochs` times in shuffled batches.

        Args:
            rollout: From `collect`.

        Returns:
            The losses of the last batch.
        """
        if not len(rollout.actions):
            raise ValueError("rollout: it holds no session.")
        advantage = advantages(rollout, normalise=self.config.normalise_advantages)
        losses = Losses(*[torch.zeros(())] * 5)
        for _ in range(self.config.epochs):
            order = torch.randperm(len(rollout.actions), generator=self._generator)
            for start in range(0, len(order), self.config.batch_size):
                rows = order[start : start + self.config.batch_size]
                batch = Rollout(*(part[rows] for part in rollout))
                losses = ppo_losses(self._act(batch.states), batch, advantage[rows], self.config)
                self._optimizer.zero_grad()
                losses.total.backward()  # pyright: ignore[reportUnknownMemberType]
                nn.utils.clip_grad_norm_(self.module.parameters(), self.config.max_gradient_norm)
                self._optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        self._schedule.step()
        self.step += 1
        return Losses(*(part.detach() for part in losses))

    def checkpoint(self) -> dict[str, Any]:
        """Return copies of everything from which training goes on as if never interrupted."""
        return {
            "module": {name: value.clone() for name, value in self.module.state_dict().items()},
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "schedule": self._schedule.state_dict(),
            "generator": self._generator.get_state(),
            "step": self.step,
        }

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Go on from `checkpoint`, under the same configuration.

        Args:
            checkpoint: From `checkpoint`.
        """
        self.module.load_state_dict(checkpoint["module"])
        self._optimizer.load_state_dict(copy.deepcopy(checkpoint["optimizer"]))
        self._schedule.load_state_dict(checkpoint["schedule"])
        self._generator.set_state(checkpoint["generator"])
        self.step = checkpoint["step"]
