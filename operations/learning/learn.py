"""Learns hints from the misses on stored training sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import HintsFullError
from ...records import counted
from ...runtime.budget import Budget
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent, spent_so_far
from ..hints.refresh_stats import refreshing_stats
from ..hints.tidy import tidy_hints
from ..sessions.enough import NOTHING_HELPED, NOTHING_MISSED, NOTHING_WRITTEN, session_advice
from .learner import Learner
from .results import Learned
from .sessions import sessions_at_once, sessions_to_learn_from

_STAGE = "learning"
_LOOK_AGAIN = 0.5
"""Seconds between two checks of a session that another process is working on."""
_COUNTS = (
    *("sessions", "missed", "failed", "declined", "proposed"),
    *("stored", "duplicate", "leak", "ineffective", "surplus"),
)


async def learn(
    context: Context,
    *,
    sessions: Sequence[Path] = (),
    keys: Sequence[int] | None = None,
    max_hints: int = 30,
    max_llm_calls: int | None = None,
    max_tokens: int | None = None,
    max_cost: float | None = None,
    concurrency: int | None = None,
    tidy: bool = True,
    progress: Progress = silent,
) -> Learned:
    """Learn hints from the misses on training sessions that were not learned from yet.

    Any number of learners may work on a domain at the same time. An interrupted run loses nothing.

    Args:
        context: The run's options. Its seed orders the sessions; its budget's limits are not used.
        sessions: Learn only from these loaded training sessions (JSONL files); from all if empty.
        keys: Likewise, by their keys.
        max_hints: Stop when this many hints are active or pending; the setting `hints_max` counts
            if it is lower.
        max_tokens: Stop after this many tokens.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        concurrency: Sessions at the same time; `None` takes the setting, or fewer where the budget
            is small: hints that are half tried when it is spent are not kept.
        tidy: Tidy the hints at the end, by the trials so far: without a model call, and without
            retiring hints for a missing proof.
        progress: Called before each session with the stage `learning`.

    Raises:
        InputError: The domain or a file cannot be used, there are no sessions, or a model has no
            price.
        DatabaseError: The database failed. What was learned is kept.
    """
    context, options, budget = await budgeted(
        context,
        "learn",
        max_llm_calls=max_llm_calls,
        max_tokens=max_tokens,
        max_cost=max_cost,
        reflects=True,
    )
    budget.max_hints = min(max_hints, options.settings.hints_max)
    keys, forgotten = await sessions_to_learn_from(options, sessions, keys, progress=progress)
    learner = Learner(context, options)
    todo = await learner.unsettled(keys)
    before = len(keys) - len(todo)
    one_by_one = _OneByOne(learner, budget, progress, before, len(keys))
    at_once = concurrency or sessions_at_once(budget, options.settings, options.model)
    progress(_STAGE, before, len(keys))
    async with refreshing_stats(options):
        stopped = await learner.work_through(todo, one_by_one.learn_from, concurrency=at_once)
    full = isinstance(stopped, HintsFullError)
    # Verification has accepted these hints: none is retired for a missing proof.
    found = await tidy_hints(context, max_llm_calls=0, give_up=False) if tidy else None
    tidied = [] if found is None else found.changed
    hints = await learner.count_hints()
    return Learned(
        domain=options.domain,
        sessions_before=before,
        # Trying hints also settles sessions: those without a miss.
        sessions_left=len(await learner.unsettled(keys)),
        **{name: learner.counts[name] for name in _COUNTS},
        retired=len(learner.retired),
        retired_hints=learner.retired,
        tidied=tidied,
        **spent(budget),
        **forgotten.paid(),
        tokens=budget.tokens,
        hints=hints,
        advice=advice(learner.counts, len(keys), before, hints=hints),
        full=full,
        stopped=None if full else stopped,
    )


class _OneByOne:
    """Learns from single sessions while there is room for hints, and reports before each."""

    def __init__(
        self, learner: Learner, budget: Budget, progress: Progress, done: int, sessions: int
    ) -> None:
        self._learner = learner
        self._budget = budget
        self._progress = progress
        self._done = done
        self._sessions = sessions

    async def learn_from(self, key: int) -> None:
        hints = await self._learner.count_hints()
        missed = counted(self._learner.counts["missed"], "miss", "misses")
        note = f"{missed}, {counted(hints, 'hint')}, {spent_so_far(self._budget)}"
        self._progress(_STAGE, self._done, self._sessions, note)
        self._budget.room_for_hints(hints)
        await self._learner.learn_from(key)
        self._done += 1


async def learn_session(context: Context, key: int) -> dict[str, int]:
    """Learn from one training session; wait while another process is working on it.

    Args:
        context: The run's options, with a budget.

    Returns:
        What came of it: counts as in `Learned`.

    Raises:
        HintsFullError: The domain has as many hints as the budget allows.
        BudgetSpentError: The budget is spent.
        ModelDownError: The model gave no answer.
    """
    options = await resolve_context(context)
    learner = Learner(context, options)
    if options.budget is not None:
        options.budget.room_for_hints(await learner.count_hints())
    while not await learner.learn_from(key):  # noqa: ASYNC110  # another process has it
        await asyncio.sleep(_LOOK_AGAIN)
    return dict(learner.counts)


def advice(counts: Mapping[str, int], sessions: int, before: int, *, hints: int) -> str:
    """Say why a run has found no hint, or why there is none; otherwise empty.

    Args:
        counts: As in `Learned`.
        sessions: All that could be learned from.
        before: How many of those were settled by earlier runs.
        hints: Active and pending hints in the domain now.
    """
    if counts["missed"] > counts["declined"] and counts["proposed"] == counts["leak"]:
        return NOTHING_WRITTEN
    if hints:
        return ""
    done = counts["sessions"] + before == sessions
    if done and not before + counts["missed"]:
        return NOTHING_MISSED
    few = session_advice(sessions)
    return few or (NOTHING_HELPED if done and counts["proposed"] else "")
