"""Rewards that training has asked for, so that none is asked for twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ppo import Rewards
from .sets import Actions, hint_sets


class RewardLookup:
    """Remembers rewards by session and set; unknown pairs are asked for all at once."""

    def __init__(self, rewards: Rewards) -> None:
        self._rewards = rewards
        self._known: dict[tuple[int, tuple[int, ...]], float] = {}

    @property
    def cells(self) -> int:
        """How many pairs of session and set were asked for."""
        return len(self._known)

    def __call__(self, sessions: NDArray[np.int64], actions: Actions) -> NDArray[np.float64]:
        """Return the reward `[B]` of each session `[B]` with its hints; no hint earns 0.

        Raises:
            ValueError: The rewards that were asked for are not one finite number each.
        """
        pairs = list(zip(sessions.tolist(), hint_sets(actions), strict=True))
        places: dict[tuple[int, tuple[int, ...]], int] = {}
        for place, pair in enumerate(pairs):
            if pair[1] and pair not in self._known:
                places.setdefault(pair, place)
        if places:
            unknown, rows = list(places), list(places.values())
            paid = np.asarray(self._rewards(sessions[rows], actions[rows]), dtype=np.float64)
            if paid.shape != (len(unknown),) or not np.isfinite(paid).all():
                raise ValueError(
                    f"rewards: {len(unknown)} pairs need as many finite rewards, "
                    f"not an array of shape {paid.shape}."
                )
            self._known.update(zip(unknown, paid.tolist(), strict=True))
        return np.array([self._known.get(pair, 0.0) for pair in pairs], dtype=np.float64)
