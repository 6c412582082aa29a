"""Which misses one reflection is about.

Misses whose diagnoses point the same way are put together around the one that is being learned
from, those first whose sessions are alike, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...knowledge.domains import find_domain
from ...knowledge.hint_store.reflections import waiting_misses
from ...runtime.options import RunOptions
from ...runtime.outages import side_by_side
from ..prompt import candidates
from ..state import RecommendState
from .misses import Miss, alike, miss_of
from .panels import miss_query, random_panel, random_sessions
from .trials import resolve_session, run_trial

_LOOKED_AT = 64
"""Most waiting misses to compare with one."""
_PER_MISS = 3
"""Misses that must be known per miss of a batch, so that some are similar."""


async def batch_of(state: RecommendState, rank: int, count: int, options: RunOptions) -> list[Miss]:
    """Return a miss and known ones that share its cause, the most alike first.

    Args:
        state: The state of the miss, with the model's answer.
        rank: The rank of its target.
        count: The most misses to return, including the miss itself.

    Returns:
        The miss alone if nothing is known that is like it.
    """
    key, domain = state.get("training_session") or 0, state["domain"]
    own = await asyncio.to_thread(miss_of, state, key, rank, state["answer"], options)
    waiting = await _waiting(domain, options)
    if len(waiting) < _PER_MISS * count and options.settings.verify_rule != "paper":
        # In one process, they wait for each other: what one pays for, the others find.
        async with options.services.one_at_a_time(f"misses of {domain}".encode()):
            waiting = await _with_panel(domain, _PER_MISS * count, options)
    known: list[Miss] = []
    others = [other for other in waiting if other != key]
    for other in random_sessions(others, _LOOKED_AT, options.seed):
        trial = await run_trial(domain, other, None, options)
        resolved = await resolve_session(domain, other, options)
        # Of what the model was not asked about, it cannot learn.
        if resolved.get("target") in [item.id for item in candidates(resolved)]:
            told = (resolved, other, trial.rank, trial.answer, options)
            known.append(await asyncio.to_thread(miss_of, *told))
    likely = [known[row] for row in await asyncio.to_thread(alike, own, known)]
    return [own, *await _claimed(own, likely, count - 1, domain, options)]


async def _claimed(
    own: Miss, others: Sequence[Miss], count: int, domain: str, options: RunOptions
) -> list[Miss]:
    """Claim the first misses that no other learner works on; they go with the own session."""
    claimed: list[Miss] = []
    for miss in others:
        if len(claimed) == count:
            break
        if await options.services.locks.claim_further(own.session, miss.session):
            claimed.append(miss)
    if not claimed:
        return []
    # Another learner may have settled one just before it gave it back.
    left = set(await _waiting(domain, options))
    return [miss for miss in claimed if miss.session in left]


async def _waiting(domain: str, options: RunOptions) -> list[int]:
    """Return the known misses that were not reflected on."""
    async with options.services.autocommit.connect() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        return await waiting_misses(connection, found.id, miss_query(options))


async def _with_panel(domain: str, enough: int, options: RunOptions) -> list[int]:
    """Rank sessions of the verification panel without a hint, which verifying does anyway."""
    waiting = await _waiting(domain, options)
    left, at_once = list((await random_panel(domain, options)).first), options.settings.concurrency
    budget = options.budget
    if (
        budget
        and budget.max_llm_calls is not None
        and budget.max_llm_calls - budget.llm_calls < len(left)
    ):
        return waiting  # the calls are needed to learn from what is known

    async def rank(session: int) -> None:
        await run_trial(domain, session, None, options)

    while left and len(waiting) < enough:
        part, left = left[:at_once], left[at_once:]
        stopped = await side_by_side(part, rank, at_once=at_once)
        if stopped is not None:
            raise stopped
        waiting = await _waiting(domain, options)
    return waiting
