"""Judges a trained policy on the sessions that it is validated on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...policies.networks import PaperPolicy
from ...policies.training import Trained, without_choice
from ...ranking.hints.panels import unbiased_sessions
from ...ranking.policy_inputs import hint_features
from ...runtime.options import RunOptions
from ..first_stage.fusion import learn_fusions
from ..sessions.enough import harmful, too_few_calls
from .few_cells import fully_paid, spent_on
from .own_cells import rows_to_judge
from .tried import Tried


@dataclass(frozen=True, slots=True)
class Judged:
    """A trained policy, and what it earns on the sessions that it is validated on.

    Attributes:
        tried: What it was trained on.
        trained: The policy.
        places: Of the validation sessions in `tried.rows`.
        gains: What the policy's choices earn there.
        static_gains: What the best single hint earns there.
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
        places = await _places(tried, trained, options)
        rows = tried.rows[places]
        static_gains = await tried.table.rewards(rows, np.ones_like(places))
        gains = await tried.table.rewards(rows, trained.choices[places])
        return cls(tried, trained, places, gains, static_gains)

    def no_worse_than_static(self) -> Judged:
        """Return the policy, or if the best single hint gains more, one that gives it to all.

        A choice that gains nothing where it was not learned only adds noise.
        """
        if self.gains.mean() >= self.static_gains.mean() or isinstance(
            self.trained.policy, PaperPolicy
        ):
            return self
        simpler = without_choice(self.trained, hint_features(self.tried.hints))
        first = simpler.choices[self.places].reshape(len(self.places), -1)
        if not ((first[:, 0] == 1).all() and (first[:, 1:] == 0).all()):
            return self  # by its trials, another is the best one
        return replace(self, trained=simpler, gains=self.static_gains, by_session=False)

    def metrics(self) -> dict[str, Any]:
        """Return what a release says of the policy."""
        chosen = self.trained.choices[self.places]
        return {
            "gain": round(float(self.gains.mean()), 5),
            "static_gain": round(float(self.static_gains.mean()), 5),
            "mean_hints": round(float((chosen > 0).sum()) / len(self.places), 3),
            "validation_sessions": len(self.places),
            "update": self.trained.update,
            "by_session": self.by_session,
            "cells": self.tried.table.cells,
            **spent_on(self.tried.search, self.tried.stopped),
        }

    def worse(self) -> str:
        """Say why the policy is clearly worse than no hint or the best single one; else empty."""
        return harmful(self.gains, self.static_gains)

    def too_little(self) -> str:
        """Say why too little was paid for to trust the policy; else empty."""
        return too_few_calls(self.metrics()) if self.tried.stopped == "limit" else ""

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


async def _places(tried: Tried, trained: Trained, options: RunOptions) -> NDArray[np.int64]:
    """Return the places in `tried.rows` that the policy is validated on."""
    first = unbiased_sessions(options.settings)
    if tried.search is None:
        return rows_to_judge(tried.own, trained.choices, trained.folds, tried.rows >= first)
    return await fully_paid(tried.table, tried.rows, trained.choices, tried.own, first)
