"""Tries every hint on the same training sessions, before the policy is trained.

Verification tried each hint on only a few sessions, and kept those that were lucky there.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError, ModelDownError
from ...knowledge.hints import Hint, HintAndEmbedding, best_hints, find_hints
from ...ranking.hint_stats import update_stats
from ...ranking.panels import random_sessions
from ...ranking.rewards import RewardTable
from ...ranking.state import RecommendState
from ...ranking.trials import resolve_session, try_hint
from ...records import counted
from ...runtime.options import Context, RunOptions, resolve_context
from ...runtime.progress import Progress
from ...runtime.questions import Questions
from ..database import in_domain
from ..first_stage.fit import fit_first_stage
from ..sessions.enough import ENOUGH_SESSIONS, FEWEST_TO_TRAIN


@dataclass(frozen=True, slots=True)
class Panel:
    """What training works on.

    Attributes:
        domain_id: Key of the domain.
        sessions: Keys of the training sessions, in random order; the first ones are the panel.
        hints: That are tried on the panel.
    """

    domain_id: int
    sessions: Sequence[int]
    hints: Sequence[Hint]


async def draw_panel(
    options: RunOptions,
    sessions: Sequence[int],
    progress: Progress,
    hints: Sequence[int] | None = None,
) -> Panel:
    """Return what to train on, and fit the first stage that its prompts depend on.

    Args:
        sessions: Keys to draw from.
        hints: Ids of the hints to try; `None` takes those with the most promise.

    Raises:
        InputError: There are too few sessions or active hints.
    """
    await fit_first_stage(options, progress=progress)
    keys = random_sessions(sessions, options.settings.train_sessions, options.settings.seed)
    if hints is None:
        domain_id, measured = await measured_hints(options)
        chosen = [hint for hint, _ in measured]
    else:
        async with in_domain(options, None) as (connection, domain):
            domain_id, chosen = domain.id, await find_hints(connection, domain.id, hints)
    if not chosen or len(keys) < FEWEST_TO_TRAIN:
        raise _too_little(options.domain, len(chosen), len(keys))
    return Panel(domain_id, keys, chosen)


async def measured_hints(options: RunOptions) -> tuple[int, list[HintAndEmbedding]]:
    """Return a domain's key and its hints with the most promise, by all trials so far."""
    async with in_domain(options, None, write=True) as (connection, domain):
        await update_stats(connection, domain.id, options)
        count = options.settings.shortlist
        return domain.id, await best_hints(connection, domain.id, count=count)


async def try_on_panel(table: RewardTable, sessions: int, hints: int, progress: Progress) -> None:
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
    async with in_domain(options, None) as (connection, domain):
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
    """Collect the questions that `try_on_panel` will ask about a session."""
    collecting = replace(options, questions=questions)
    for hint in (None, *(hint.text for hint in hints)):
        with suppress(ModelDownError):
            await try_hint(state, hint, collecting)


def _too_little(domain: str, hints: int, sessions: int) -> InputError:
    remedy = (
        f"Run `re2llm learn --domain {shlex.quote(domain)}`, or add hints by hand: "
        "`re2llm hints add`. `re2llm measure` tells whether the model adds anything to learn from."
        if sessions >= ENOUGH_SESSIONS
        else f"At least {FEWEST_TO_TRAIN} sessions are needed, and about {ENOUGH_SESSIONS} are "
        "enough. Load more (`re2llm load … --sessions FILE`), then run `re2llm learn`. "
        "Until then, answers come without a hint."
    )
    return InputError(
        "domain",
        f"{domain!r} has {counted(hints, 'active hint')} and "
        f"{counted(sessions, 'training session')}.",
        remedy,
    )
