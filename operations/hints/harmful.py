"""Retires hints for harm, after an operation has tried some."""

from __future__ import annotations

from ...knowledge.hint_store.stats import retire_harmful
from ...ranking.hints.stats import update_stats
from ...runtime.options import RunOptions
from ..database import in_domain
from .results import RetiredHint


async def judge_by_trials(options: RunOptions) -> list[RetiredHint]:
    """Sum up the gains of a domain's hints in all trials so far, and retire those that harm.

    Called after an interruption, too, so that hints are chosen by all that is known of them.

    Returns:
        What it retired.

    Raises:
        DatabaseError: The database failed; nothing was changed then.
    """
    async with in_domain(options, write=True) as (connection, domain):
        await update_stats(connection, domain.id, options)
        gone = await retire_harmful(connection, domain.id, options.prompted_model)
    return [RetiredHint.of(hint) for hint in gone]
