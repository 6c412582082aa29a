"""Pays for the cells that a policy learns most from: the best hints, in random sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...errors import BudgetSpentError
from ...knowledge.hint_store.hints import Hint
from ...policies.value_of_sessions import ExpectedGain, gain_of_more
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

VisitsEndedBy = Literal["noise", "limit", "all"]
"""More would gain less than its noise, a limit is reached, or nothing is left to pay for."""

BEST_HINTS = 8
"""Hints that a policy chooses from, unless it tries all."""
FEWEST_TO_STOP = 300
"""Sessions to visit before it stops by itself: training also validates on them."""
ROUND = 64
_AT_ONCE = 8
NOT_FEW: Mapping[str, Any] = dict.fromkeys(
    ("visited_sessions", "more_gain", "more_noise", "stopped")
)
"""What a release says where training paid for every cell that it visited."""


@dataclass(frozen=True, slots=True)
class FewCells:
    """Sessions in which every one of the best hints was tried.

    Attributes:
        rows: Of the sessions, `[B]`.
        gains: NDCG@10 with each action minus without a hint, `[B, 1 + H]`; 0 where the model gave
            no answer.
        more: What visiting all other sessions would likely gain; `None` where none is left.
        ended_by: Why no more are.
    """

    rows: NDArray[np.int64]
    gains: Floats
    more: ExpectedGain | None
    ended_by: VisitsEndedBy

    def metrics(self) -> dict[str, Any]:
        """Return what a release says of it."""
        return {
            "visited_sessions": len(self.rows),
            "more_gain": None if self.more is None else round(self.more.gain, 5),
            "more_noise": None if self.more is None else round(self.more.noise, 5),
            "stopped": self.ended_by,  # releases are stored with this name
        }


def panel_size(sessions: int, settings: Settings, *, all_hints: bool) -> int:
    """Return on how many sessions every hint is tried.

    Args:
        sessions: To train on.
        all_hints: From `tries_all_hints`.
    """
    most = settings.train_panel
    return min(sessions, most if all_hints else min(most, settings.verify_random))


def tries_all_hints(sessions: int, settings: Settings, *, asked: bool = False) -> bool:
    """Return whether training tries all hints in all sessions, rather than the best in some.

    It does where a choice would save little.

    Args:
        sessions: To train on.
        asked: Whether that is asked for.
    """
    return asked or sessions < 2 * unbiased_sessions(settings)


async def pay_for_few(
    table: RewardTable,
    states: Sequence[RecommendState],
    hints: Sequence[Hint],
    own: NDArray[np.bool_],
    options: RunOptions,
    progress: Progress,
) -> FewCells:
    """Visit sessions until more would gain less than its noise, or the budget is spent.

    They are drawn at random from those on which no hint was accepted and none of these proposed:
    on the others, hints look better than they are, and not for all alike.

    Args:
        table: With every hint tried on the panel.
        states: Of the sessions, in random order, the panel first.
        hints: The best ones, in the order of their actions.
        own: From `own_cells`, `[S, 1 + H]`.

    Raises:
        BudgetSpentError: The budget is spent before there are enough sessions to train on, or the
            job was paused or cancelled.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    settings = options.settings
    fair = np.flatnonzero(~own.any(axis=1))
    queue = fair[fair >= unbiased_sessions(settings)]
    descriptors = np.stack([session_state(state, "content") for state in states])
    left = CallsLeft(options, states[0], hints)
    done, limit, enough = 0, None, False

    def report(paid: int) -> None:
        progress("trying the best hints", done + paid, len(queue))

    while True:
        report(0)
        gains = _known(table, queue[:done], len(hints))
        answered = np.isfinite(gains).any(axis=1)
        rows, gains = queue[:done][answered], np.nan_to_num(gains[answered])
        more = None
        if len(rows) and done < len(queue):
            more = await asyncio.to_thread(
                gain_of_more, descriptors, rows, gains[:, 1:], settings.seed
            )
            enough = more.little and len(rows) >= FEWEST_TO_STOP
        if enough or limit is not None or done == len(queue):
            ended_by = "noise" if enough else "all" if limit is None else "limit"
            return _enough_to_train(FewCells(rows, gains, more, ended_by), limit)
        paid, limit = await _pay(
            queue[done : done + ROUND], table, len(hints), left, options, report
        )
        done += paid


async def _pay(
    rows: NDArray[np.int64],
    table: RewardTable,
    hints: int,
    left: CallsLeft,
    options: RunOptions,
    report: Callable[[int], None],
) -> tuple[int, BudgetSpentError | None]:
    """Try the first hints in sessions, as far as the budget reaches.

    Args:
        hints: How many.
        report: Called with the number of sessions that are done.

    Returns:
        How many sessions are done, and the limit that it ended at, if it did.
    """
    paid = 0
    while paid < len(rows):
        report(paid)
        # A part at a time: the first calls tell what a call costs.
        rest = rows[paid : paid + _AT_ONCE]
        prices = np.cumsum((~np.isfinite(_known(table, rest, hints))).sum(axis=1))
        afforded = rest[prices <= await left.count()]
        if not len(afforded):
            return paid, _refused(options.budget or Budget())
        actions = np.tile(np.arange(1, hints + 1), len(afforded))
        try:
            await table.rewards(np.repeat(afforded, hints), actions)
        except BudgetSpentError as error:
            if error.by_a_person:
                raise
            whole = np.isfinite(_known(table, afforded, hints)).all(axis=1)
            return paid + int(np.argmin(np.append(whole, False))), error
        paid += len(afforded)
    return paid, None


def _known(table: RewardTable, rows: NDArray[np.int64], hints: int) -> Floats:
    """Return the known rewards of no hint and of the first hints, `[B, 1 + hints]`."""
    return table.known(rows.tolist())[:, : 1 + hints]


def _enough_to_train(found: FewCells, spent: BudgetSpentError | None) -> FewCells:
    """Return what was found if there are enough sessions.

    Args:
        spent: The limit that ended it.

    Raises:
        BudgetSpentError: There are too few.
    """
    count = len(found.rows)
    if count >= FEWEST_TO_TRAIN:
        return found
    ended = spent or BudgetSpentError(
        "sessions", "None is left.", "Load more sessions, or pay for every cell."
    )
    raise ended.adding(
        f"The best hints were tried in {counted(count, 'session')} beyond the panel; "
        f"at least {FEWEST_TO_TRAIN} are needed."
    )


def _refused(budget: Budget) -> BudgetSpentError:
    """Return the error of a limit that left too little for the next session."""
    field = "max_cost" if budget.max_llm_calls is None else "max_llm_calls"
    return BudgetSpentError(field, "The limit is nearly reached.", "Run again to continue.")
