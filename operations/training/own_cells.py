"""Finds the cells whose hint was proposed on that very session, where it looks too good."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...knowledge.hint_store.decisions import own_sessions
from ...knowledge.hint_store.hints import HintAndEmbedding
from ...ranking.state import RecommendState
from ...runtime.options import RunOptions
from ..database import in_domain

_ENOUGH_TO_VALIDATE = 200
"""Sessions that a validation needs to leave the panel out."""


async def own_cells(
    states: Sequence[RecommendState], hints: Sequence[HintAndEmbedding], options: RunOptions
) -> NDArray[np.bool_]:
    """Return which hints were proposed on which sessions, `[S, 1 + H]`.

    Args:
        states: Of the sessions.
        hints: In the order of their actions.
    """
    async with in_domain(options) as (connection, domain):
        by_hint = await own_sessions(connection, domain.id)
    keys = [state.get("training_session") for state in states]
    found = np.zeros((len(states), 1 + len(hints)), dtype=np.bool_)
    for action, (hint, _) in enumerate(hints, start=1):
        own = by_hint.get(hint.id, set())
        found[:, action] = [key in own for key in keys]
    return found


def fair(own: NDArray[np.bool_], choices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return in which sessions neither the best single hint nor the choices look too good, `[B]`.

    Args:
        own: From `own_cells`, of the sessions, `[B, 1 + H]`.
        choices: One in each, `[B]`, or several, `[B, K]`.
    """
    several = np.maximum(choices.reshape(len(own), -1), 0)
    return ~(own[:, 1] | np.take_along_axis(own, several, axis=1).any(axis=1))


def rows_to_judge(
    own: NDArray[np.bool_],
    choices: NDArray[np.int64],
    folds: NDArray[np.int64],
    later: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the rows to validate on: those held out that are `fair`, or all if none is.

    Of these, the later ones alone, if there are enough of them.

    Args:
        own: From `own_cells`, `[B, 1 + H]`.
        choices: As for `fair`.
        folds: The member that each was held out from, `[B]`; -1 for none.
        later: Rows that are not of the panel, on which the hints were accepted, `[B]`.
    """
    held = folds >= 0
    honest = held & fair(own, choices)
    if (honest & later).sum() >= _ENOUGH_TO_VALIDATE:
        return np.flatnonzero(honest & later)
    return np.flatnonzero(honest if honest.any() else held)
