"""Pays for the cells that can change which hints a policy gives, and for no others."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import BudgetSpentError
from ...knowledge.hint_store.hints import HintAndEmbedding, hint_key
from ...policies.cell_search import CellSearch, Round
from ...policies.recipes import PolicyRecipe
from ...policies.reward_model import Features
from ...ranking.hints.panels import unbiased_sessions
from ...ranking.hints.rewards import RewardTable
from ...ranking.policy_inputs import session_state
from ...ranking.state import RecommendState
from ...records import counted
from ...runtime.budget import Budget
from ...runtime.options import RunOptions
from ...runtime.progress import Progress
from ...settings import Settings
from ..sessions.enough import FEWEST_TO_TRAIN
from .calls_left import CallsLeft
from .own_cells import fair

Stopped = Literal["noise", "limit", "all"]
"""More would gain less than its noise, a limit is reached, or nothing is left to pay for."""

_FOR_VALIDATION = 0.2
"""Share of the calls that may be made."""


def panel_size(sessions: int, settings: Settings, *, every_cell: bool) -> int:
    """Return on how many sessions every hint is tried.

    Args:
        sessions: To train on.
        every_cell: Whether training pays for every cell that PPO visits.
    """
    most = settings.train_panel
    return min(sessions, most if every_cell else min(most, settings.verify_random))


def pays_for_every_cell(
    sessions: int, settings: Settings, recipe: PolicyRecipe, *, asked: bool = False
) -> bool:
    """Return whether training pays for every cell that PPO visits, rather than choose.

    It does for sets of hints, of which there are too many to model, and where a choice would save
    little.

    Args:
        sessions: To train on.
        asked: Whether that is asked for.
    """
    several = settings.max_hints > 1 and recipe == "content"
    return asked or several or sessions < 2 * unbiased_sessions(settings)


async def pay_for_few(
    table: RewardTable,
    states: Sequence[RecommendState],
    hints: Sequence[HintAndEmbedding],
    own: NDArray[np.bool_],
    options: RunOptions,
    progress: Progress,
) -> tuple[CellSearch, Stopped]:
    """Visit sessions until more would gain less than its noise, or the budget is spent.

    Args:
        table: With every hint tried on the panel.
        states: Of the sessions, in random order, the panel first.
        hints: In the order of their actions.
        own: From `own_cells`.

    Returns:
        What was chosen and learned, and why it stopped.

    Raises:
        BudgetSpentError: The budget is spent before enough sessions were visited to train on, or
            the job was paused or cancelled.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    settings, total = options.settings, len(states)
    first, panel = unbiased_sessions(settings), panel_size(total, settings, every_cell=False)
    features = Features.of(
        np.stack([session_state(state, "content") for state in states]),
        np.array([embedding for _, embedding in hints]),
    )
    keys = [hint_key(hint.text) for hint, _ in hints]
    sessions = [state.get("training_session") or 0 for state in states]
    search = CellSearch(features, sessions, keys, first=first, seed=settings.seed, left_out=own)
    search.add_panel(range(panel), table.known(range(panel)))
    budget = options.budget or Budget()
    spent_before = budget.calls
    left = CallsLeft(options, states[0], [hint for hint, _ in hints])
    while True:
        progress("choosing trials", search.visited, total - first)
        asked = await asyncio.to_thread(search.propose)
        if asked is None:
            return _enough_to_train(search, None), "all"
        if search.enough:
            return search, "noise"
        visited, limit = await _pay(asked, table, left, budget, spent_before)
        search.take(visited, table.known(visited.rows.tolist()))
        if limit is not None:
            return _enough_to_train(search, limit), "limit"


async def _pay(
    asked: Round, table: RewardTable, left: CallsLeft, budget: Budget, spent_before: int
) -> tuple[Round, BudgetSpentError | None]:
    """Pay for a round as far as the budget reaches.

    Args:
        spent_before: Calls that the budget had counted before the search.

    Returns:
        What was paid for, and the limit that it ended at, if it did.
    """
    paid = 0
    while paid < len(asked):
        # Again for what is left of a round: the first calls tell what a call costs.
        rest = asked.part(slice(paid, None))
        afforded = _afforded(rest, table, await left.count(), budget.calls - spent_before)
        if not len(afforded):
            return asked.part(slice(paid)), _refused(budget)
        paid += len(afforded)
        try:
            await table.rewards(*_cells(afforded))
        except BudgetSpentError as error:
            if error.field == "job":  # it was paused or cancelled
                raise
            return _whole(asked.part(slice(paid)), table), error
    return asked, None


def spent_on(search: CellSearch | None, stopped: Stopped | None) -> dict[str, Any]:
    """Return what the search was spent on, as metrics of a release.

    Args:
        search: `None` if every cell was paid for.
        stopped: Why it stopped.
    """
    more = None if search is None else search.more
    return {
        "visited_sessions": None if search is None else search.visited,
        "more_gain": None if more is None else round(more.gain, 5),
        "more_noise": None if more is None else round(more.noise, 5),
        "stopped": stopped,
    }


async def fully_paid(
    table: RewardTable,
    rows: NDArray[np.int64],
    choices: NDArray[np.int64],
    own: NDArray[np.bool_],
    first: int,
) -> NDArray[np.int64]:
    """Pay for all that a validation compares: a policy's choices, and the best single hint.

    Args:
        rows: Of the sessions that were trained on, in the table.
        choices: In each, by the member that did not learn from it; -1 where none was held out.
        own: From `own_cells`, of all rows of the table; they do not count either.
        first: No earlier row counts: on those, the hints were accepted.

    Returns:
        Places in `rows` that are paid for, as far as the budget reaches.

    Raises:
        BudgetSpentError: It reaches for too few.
    """
    held = np.flatnonzero((choices >= 0) & (rows >= first) & fair(own[rows], choices))
    at, chosen = rows[held], choices[held]
    spent: BudgetSpentError | None = None
    try:
        both = np.stack([np.ones_like(chosen), chosen], axis=1)
        await table.rewards(np.repeat(at, 2), both.reshape(-1))
    except BudgetSpentError as error:
        if error.field == "job":
            raise
        spent = error
    known = np.isfinite(table.known(at.tolist()))
    paid = held[known[:, 1] & known[np.arange(len(at)), chosen]]
    if len(paid) < FEWEST_TO_TRAIN:
        raise spent or BudgetSpentError(
            "sessions",
            f"Only {counted(len(paid), 'session')} could be validated on.",
            "Run again to continue.",
        )
    return paid


def _enough_to_train(search: CellSearch, spent: BudgetSpentError | None) -> CellSearch:
    """Return the search if it visited enough sessions.

    Args:
        spent: The limit that ended it.

    Raises:
        BudgetSpentError: It did not.
    """
    if search.visited >= FEWEST_TO_TRAIN:
        return search
    ended = spent or BudgetSpentError("sessions", "None is left.", "Run again to continue.")
    visited = counted(search.visited, "session")
    raise ended.adding(
        f"There are trials in {visited} beyond the panel; at least {FEWEST_TO_TRAIN} are needed."
    )


def _refused(budget: Budget) -> BudgetSpentError:
    """Return the error of a limit that left too little for the next session."""
    field = "max_cost" if budget.max_calls is None else "max_llm_calls"
    return BudgetSpentError(field, "The limit is nearly reached.", "Run again to continue.")


def _whole(asked: Round, table: RewardTable) -> Round:
    """Return the sessions in which every chosen trial was made: a limit refused the others'."""
    known = np.isfinite(table.known(asked.rows.tolist()))
    return asked.part((asked.chosen & ~known).sum(axis=1) == 0)


def _afforded(asked: Round, table: RewardTable, left: float, made: int) -> Round:
    """Return the next sessions of a round that leave enough calls for the validation.

    They take half of what is left for the search, or are one: where money is the limit, the calls
    tell what the next ones cost.

    Args:
        left: Calls that may still be made.
        made: Those so far.
    """
    if not math.isfinite(left):
        return asked
    allowed = (made + left) * (1 - _FOR_VALIDATION) - made
    known = np.isfinite(table.known(asked.rows.tolist()))
    prices = np.cumsum((asked.chosen & ~known).sum(axis=1))
    some = max(allowed / 2, min(allowed, prices[0])) if len(prices) else 0
    return asked.part(slice(int((prices <= some).sum())))


def _cells(asked: Round) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    places, actions = np.nonzero(asked.chosen[:, 1:])
    return asked.rows[places], actions.astype(np.int64) + 1
