"""Keeps a domain's hints few and good: merges repeats, and retires what does not help."""

from __future__ import annotations

from contextlib import nullcontext

from ...errors import BudgetSpentError, ModelDownError
from ...runtime.context import Context
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from .refresh_stats import refreshing_stats
from .tidier import Tidier
from .tidy_results import TidiedHints


async def tidy_hints(
    context: Context,
    *,
    dry_run: bool = False,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    give_up: bool = True,
    progress: Progress = silent,
) -> TidiedHints:
    """Merge hints that say the same, and retire those that harm, do not help or are not needed.

    First it decides by the trials so far, which is free. Then it tries hints on the newest sessions
    and on those of the verification panel: all on a few, and those that may still prove a gain on
    more and more. Decisions are stored after each round, and paid trials at once, so that an
    interrupted run can be continued. Nothing is deleted.

    Args:
        context: The run's options; its budget's limits are not used.
        dry_run: Change no hint; without a limit of calls or cost, make no call either.
        max_llm_calls: Model calls to make at most; 0 decides by what is known.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        give_up: Retire hints whose gain more trials can hardly prove, too.
        progress: Called after each trial with the stage `tidying` and the hints done in the round.

    Raises:
        InputError: There is no such domain, or the model has no price.
        DatabaseError: The database failed. What was paid and decided is kept.
    """
    _, options, budget = await budgeted(
        context, "tidy", max_llm_calls=max_llm_calls, max_cost=max_cost
    )
    free = max_llm_calls == 0 or (dry_run and max_llm_calls is None and max_cost is None)
    tidier = await Tidier.of(options, dry_run=dry_run, give_up=give_up, progress=progress)
    stopped: BudgetSpentError | ModelDownError | None = None
    async with nullcontext() if dry_run else refreshing_stats(options):
        await tidier.settle(final=free)
        if not free:
            stopped = await tidier.try_all()
    kept = tidier.kept()
    return TidiedHints(
        domain=options.domain,
        model=options.model,
        dry_run=dry_run,
        changed=tidier.changed,
        kept=kept,
        undecided=sum(hint.standing == "undecided" for hint in kept),
        trials=tidier.table.paid,
        **spent(budget),
        stopped=None if stopped is None else stopped.as_dict(),
    )
