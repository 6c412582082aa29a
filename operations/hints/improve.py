"""Makes better hints of known ones: joins two that help in different sessions, fixes one."""

from __future__ import annotations

from ...errors import BudgetSpentError, InputError, ModelDownError
from ...ranking.hints.improving import NEEDED
from ...ranking.hints.panels import random_panel
from ...records import counted
from ...runtime.context import Context
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from .improve_results import ImprovedHints
from .improver import Improver
from .refresh_stats import refreshing_stats


async def improve_hints(
    context: Context,
    *,
    attempts: int = 10,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    progress: Progress = silent,
) -> ImprovedHints:
    """Make better hints of active ones, and keep those that are measurably better.

    The most promising attempt comes first: two hints that help in different sessions are joined,
    and one that often harms is fixed. The reflecting model writes the child, and sees sessions on
    which its parents helped and harmed. The child is tried on the verification panel without these
    sessions. It is stored only if it helps more than its best parent, beyond doubt; it can then be
    a parent itself. A failed attempt is not repeated with the same models and prompt until there
    are many more sessions. Paid trials are kept, so an interrupted run can be repeated.

    Args:
        context: The run's options; its budget's limits are not used.
        attempts: Children to make at most.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        progress: Called before each attempt with the stage `improving`.

    Raises:
        InputError: There is no such domain, it has too few training sessions to show that a hint
            is better, or the model has no price.
        DatabaseError: The database failed. What was paid and stored is kept.
    """
    _, options, budget = await budgeted(
        context,
        "improve",
        max_llm_calls=max_llm_calls,
        max_cost=max_cost,
        reflects=True,
        learns=True,
    )
    await _require_sessions(options)
    improver = Improver(options)
    stopped: BudgetSpentError | ModelDownError | None = None
    async with refreshing_stats(options):
        try:
            for done in range(attempts):
                progress("improving", done, attempts, f"{improver.stored} stored")
                if not await improver.improve():
                    break
        except (BudgetSpentError, ModelDownError) as error:
            stopped = error
    progress("improving", attempts, attempts, f"{improver.stored} stored")
    return ImprovedHints(
        domain=options.domain,
        model=options.model,
        tried=improver.tried,
        stored=improver.stored,
        **spent(budget),
        stopped=None if stopped is None else stopped.as_dict(),
    )


async def _require_sessions(options: RunOptions) -> None:
    panel = await random_panel(options.domain, options)
    found = len(panel.first) + len(panel.more)
    if found < NEEDED:
        raise InputError(
            "domain",
            f"{counted(found, 'session')} can be used to try hints, too few to compare two.",
            f"{NEEDED} are needed: load more sessions, or raise RE2LLM_VERIFY_RANDOM.",
        )
