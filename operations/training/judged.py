"""Judges a trained policy on the sessions that it is validated on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...policies.networks import PaperPolicy
from ...policies.sets import Actions
from ...policies.training import Trained, without_choice
from ...ranking.hints.panels import unbiased_sessions
from ...ranking.policy_inputs import hint_features
from ...records import counted
from ...runtime.options import RunOptions
from ..first_stage.fusion import learn_fusions
from ..sessions.enough import too_few_calls
from .few_cells import NOT_FEW
from .own_cells import rows_to_judge
from .tried import Tried

_CLEARLY = 2.0
"""Standard errors that make a difference clear."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A trained policy, and what it earns on the sessions that it is validated on.

    Attributes:
        tried: What it was trained on.
        trained: The policy.
        places: Of the validation sessions in `tried.rows`.
        gains: What the policy's choices earn there.
        static_gains: What the best single hint earns there: the best before the training, or if
            all sessions get one hint, that one.
        by_session: Whether the policy chooses for each session, not the best hint for all.
    """

    tried: Tried
    trained: Trained
    places: NDArray[np.int64]
    gains: Floats
    static_gains: Floats
    by_session: bool = True

    @classmethod
    async def of(cls, tried: Tried, trained: Trained, options: RunOptions) -> Judged:
        """Judge a policy; what the judgment needs and is not known yet is paid for.

        Raises:
            BudgetSpentError: The budget is spent; paid trials are kept.
            ModelDownError: The model has been down for long; paid trials are kept.
        """
        later = tried.rows >= unbiased_sessions(options.settings)
        places = rows_to_judge(tried.own[tried.rows], trained.choices, trained.folds, later)
        static_gains = await tried.rewards(places, np.ones_like(places))
        gains = await tried.rewards(places, trained.choices[places])
        return cls(tried, trained, places, gains, static_gains)

    def no_worse_than_one_hint(self) -> Judged:
        """Return the policy, or if that gains more, one that gives the best hint to all.

        A choice that gains nothing where it was not learned only adds noise.
        """
        if isinstance(self.trained.policy, PaperPolicy):
            return self
        simpler = without_choice(self.trained, hint_features(self.tried.hints))
        gains = self._gains_of_all(simpler.choices[self.places])
        if gains is None or self.gains.mean() >= gains.mean():
            return self
        return replace(self, trained=simpler, gains=gains, static_gains=gains, by_session=False)

    def _gains_of_all(self, choices: Actions) -> Floats | None:
        """Return what the one hint that all sessions get earns, if that is known."""
        first, *further = choices.reshape(len(choices), -1).T
        if any(picked.any() for picked in further):
            return None
        if (first == 1).all():
            return self.static_gains
        few = self.tried.few
        return None if few is None else few.gains[self.places, first]

    def metrics(self) -> dict[str, Any]:
        """Return what a release says of the policy."""
        chosen, few = self.trained.choices[self.places], self.tried.few
        return {
            "gain": round(float(self.gains.mean()), 5),
            "static_gain": round(float(self.static_gains.mean()), 5),
            "mean_hints": round(float((chosen > 0).sum()) / len(self.places), 3),
            "validation_sessions": len(self.places),
            "update": self.trained.update,
            "by_session": self.by_session,
            "cells": self.tried.table.cells,
            **(NOT_FEW if few is None else few.metrics()),
        }

    def worse(self) -> str:
        """Say why the policy is clearly worse than no hint or the best single one; else empty."""
        return clearly_worse(self.gains, self.static_gains)

    def too_little(self) -> str:
        """Say why too little was paid for to trust the policy; else empty."""
        metrics = self.metrics()
        return too_few_calls(metrics) if metrics["stopped"] == "limit" else ""

    async def fusions(self, options: RunOptions) -> dict[str, Any]:
        """Return how much the model counts under each policy; empty if that is not learned."""
        if options.fuse != "learned":
            return {}
        count = len(self.tried.states)
        trained = self.trained.choices
        choices = np.full((count, *trained.shape[1:]), -1, dtype=np.int64)
        choices[self.tried.rows[self.places]] = trained[self.places]
        actions = {
            "none": np.zeros(count, dtype=np.int64),
            "static": np.where(choices.reshape(count, -1)[:, 0] >= 0, 1, -1),
            "ppo": choices,
        }
        hints = [hint for hint, _ in self.tried.hints]
        learned = await learn_fusions(self.tried.states, hints, actions, options)
        return {name: one.as_dict() for name, one in learned.items()}


def clearly_worse(gains: Floats, static: Floats) -> str:
    """Say why a policy that is clearly worse than a simpler way should not serve; else empty.

    Args:
        gains: Over no hint, in each session of the validation.
        static: Likewise, of always the best single hint.
    """
    for simpler, more in (("no hint", gains), ("the best single hint", gains - static)):
        mean, count = float(more.mean()), len(more)
        if mean + _CLEARLY * float(more.std()) / count**0.5 < 0:
            return f"It is worse than {simpler}: {mean:+.3f} on {counted(count, 'session')}."
    return ""
