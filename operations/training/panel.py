"""Tries every hint on the same training sessions, before the policy is trained.

Verification tried each hint on only a few sessions, and kept those that were lucky there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ...errors import ModelDownError
from ...knowledge.hint_store.hints import Hint, find_hints
from ...ranking.hints.rewards import RewardTable
from ...ranking.hints.trials import resolve_session, try_hint
from ...ranking.state import RecommendState
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress
from ...runtime.questions import Questions
from ..database import in_domain


async def try_every_hint_on_panel(
    table: RewardTable, sessions: int, hints: int, progress: Progress
) -> None:
    """Try every hint on the first sessions of a table, so that training starts from fair means."""
    for row in range(sessions):
        progress("trying every hint", row, sessions)
        await _try_every_hint(table, row, hints)
    progress("trying every hint", sessions, sessions)


async def try_on_session(context: Context, session: int, hints: Sequence[int]) -> int:
    """Try hints on one session of the panel, one after the other.

    Args:
        hints: Ids.

    Returns:
        How many trials the model left unanswered.

    Raises:
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    options = await resolve_context(context)
    async with in_domain(options) as (connection, domain):
        found = await find_hints(connection, domain.id, hints)
    states = [await resolve_session(options.domain, session, options)]
    table = RewardTable(states, found, options, at_once=1)
    await _try_every_hint(table, 0, len(found))
    return table.unanswered


async def _try_every_hint(table: RewardTable, row: int, hints: int) -> None:
    actions = np.arange(1, hints + 1)
    await table.rewards(np.full_like(actions, row), actions)


async def ask_every_hint(
    state: RecommendState, hints: Sequence[Hint], options: RunOptions, questions: Questions
) -> None:
    """Collect the questions that `try_every_hint_on_panel` will ask about a session."""
    collecting = replace(options, questions=questions)
    for hint in (None, *(hint.text for hint in hints)):
        with suppress(ModelDownError):
            await try_hint(state, hint, collecting)
