"""Says what the offline model takes a hint to mean."""

from __future__ import annotations

import asyncio

from ...llm.offline.understanding import understood
from ...ranking.hints.trials import resolve_session
from ...ranking.prompt import ranking_prompt
from ...runtime.domain_cache import evidence_of
from ...runtime.options import RunOptions
from ...settings import OFFLINE_MODEL
from ..catalogue.titles import in_catalogue


async def understanding_of(domain: str, text: str, options: RunOptions) -> list[str] | None:
    """Return what a hint makes the offline model weigh, on the first training session.

    Returns:
        An entry for each clause; `None` without sessions, and for any other model.
    """
    if options.model != OFFLINE_MODEL:
        return None
    async with in_catalogue(options, domain) as finder:
        index = await evidence_of(options.services, finder.domain)
    if index is None:
        return None
    state = await resolve_session(domain, index.keys[0], options)
    return await asyncio.to_thread(understood, text, ranking_prompt(state, options, hinted=False))
