"""Takes in a hint that a person wrote: refused with a reason, known already, or stored."""

from __future__ import annotations

import asyncio
import html
from dataclasses import dataclass, replace

from ..knowledge.domains import find_domain, hold_hints
from ..knowledge.hints import add_hint, clean_hint
from ..knowledge.reflections import Outcome, Proposal, store_proposal
from ..llm.offline.understanding import understood
from ..ranking.prompt import ranking_prompt
from ..ranking.repeats import embed
from ..ranking.trials import resolve_session
from ..runtime.domain_cache import evidence_of, leak_filter_of
from ..runtime.options import RunOptions
from ..settings import OFFLINE_MODEL


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a person's hint.

    Attributes:
        text: On one line, HTML entities resolved.
        outcome: `stored`, `duplicate` or `leak`.
        reason: Why it was not stored; empty if it was.
        hint_id: The hint that it became or repeats; `None` if it was refused.
        understood: What each of its clauses makes the offline model weigh; `None` where another
            model reads the hints.
    """

    text: str
    outcome: Outcome
    reason: str
    hint_id: int | None
    understood: list[str] | None = None


async def add_persons_hint(domain: str, text: str, options: RunOptions) -> Added:
    """Store a person's hint. It needs no verification, but may not leak an item.

    Args:
        domain: The catalogue's name.
        text: As the person wrote it.
        options: The run's options.

    Raises:
        InputError: The text is empty or too long, or there is no such domain.
    """
    cleaned = clean_hint(html.unescape(text))
    async with options.services.engine.begin() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        leaks = await leak_filter_of(options.services, connection, found)
        leak = leaks.leak(cleaned)
        await hold_hints(connection, found.id)
        if leak is not None:
            added = Added(cleaned, "leak", leak, None)
        else:
            hint_id, new = await add_hint(
                connection,
                found.id,
                cleaned,
                await embed(cleaned, options),
                provenance={"source": "person"},
            )
            reason = "" if new else "The same text is stored already."
            added = Added(cleaned, "stored" if new else "duplicate", reason, hint_id)
        proposal = Proposal(cleaned, added.outcome, added.reason, added.hint_id)
        await store_proposal(connection, found.id, None, proposal)
    if added.outcome == "leak" or options.model != OFFLINE_MODEL:
        return added
    return replace(added, understood=await _understood(domain, cleaned, options))


async def _understood(domain: str, text: str, options: RunOptions) -> list[str] | None:
    async with options.services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        index = await evidence_of(options.services, connection, found)
    if index is None:
        return None
    state = await resolve_session(domain, index.keys[0], options)
    return await asyncio.to_thread(understood, text, ranking_prompt(state, options, hinted=False))
