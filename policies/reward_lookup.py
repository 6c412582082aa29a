"""Rewards that are asked for once, and only where they are not known by definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ppo import Rewards


class RewardLookup:
    """Remembers the reward of each pair of session and action. Action 0 gives no hint, so earns 0.

    Args:
        rewards: Asked for the unknown pairs of a call, all at once: it may cost model calls.
    """

    def __init__(self, rewards: Rewards) -> None:
        self._rewards = rewards
        self._known: dict[tuple[int, int], float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __call__(
        self, sessions: NDArray[np.int64], actions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the reward of each pair, `[B]`.

        Args:
            sessions: `[B]`.
            actions: `[B]`.

        Raises:
            ValueError: The rewards that came back are not one finite number a pair.
        """
        pairs = list(zip(sessions.tolist(), actions.tolist(), strict=True))
        unknown = [
            pair for pair in dict.fromkeys(pairs) if pair[1] != 0 and pair not in self._known
        ]
        if unknown:
            asked = np.array(unknown, dtype=np.int64)
            paid = np.asarray(self._rewards(asked[:, 0], asked[:, 1]), dtype=np.float64)
            if paid.shape != (len(unknown),) or not np.isfinite(paid).all():
                raise ValueError(
                    f"rewards: {len(unknown)} pairs need as many finite rewards, "
                    f"not an array of shape {paid.shape}."
                )
            self._known.update(zip(unknown, paid.tolist(), strict=True))
        return np.array([self._known.get(pair, 0.0) for pair in pairs], dtype=np.float64)
