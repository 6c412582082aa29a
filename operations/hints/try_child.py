"""Tries a hint that was made of others, and stores it if it is better than they are."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError
from ...knowledge.domain_locks import hold_hints
from ...knowledge.hint_store.bringing_back import add_or_bring_back, known_key
from ...knowledge.hint_store.decisions import KeptHint
from ...knowledge.hint_store.hints import clean_hint, count_kept, hint_key
from ...ranking.hints.improving import LOOKS, Comparison, Way, compare_with_parents
from ...ranking.hints.panel_gains import panel_gains
from ...ranking.hints.panels import Panel, random_panel
from ...ranking.hints.repeats import embed
from ...runtime.domain_cache import leak_filter_of
from ...runtime.options import RunOptions
from ..database import in_domain
from .improve_results import Outcome, TriedChild
from .results import MeasuredGain


async def try_child(
    text: str,
    way: Way,
    parents: Sequence[KeptHint],
    own: frozenset[int],
    options: RunOptions,
) -> TriedChild:
    """Try a child of hints, and store it if it helps more than its best parent, beyond doubt.

    Args:
        text: The child's text; empty if the model wrote none.
        way: How it was made.
        parents: The hints that it was made of.
        own: Keys of the sessions that its author and its parents' authors have seen; it is not
            tried on them.
        options: The run's options.

    Raises:
        BudgetSpentError: The budget allows no further trial.
        ModelDownError: The model gave no answer.
    """
    numbers = [parent.hint.id for parent in parents]

    def tried(outcome: Outcome, reason: str, **more: Any) -> TriedChild:
        known = {"way": way, "parents": numbers, "text": text}
        return TriedChild(**known, outcome=outcome, reason=reason, **more)

    if not text:
        return tried("nothing", "The model wrote no hint.")
    try:
        text = clean_hint(html.unescape(text))
    except InputError as error:
        return tried("nothing", error.problem)
    refused = await _refused(text, options)
    if refused is not None:
        return tried(*refused)
    found, better = await _compared(text, parents, own, options)
    measured: dict[str, Any] = {
        "gain": MeasuredGain.of(found.gain),
        "over_best": MeasuredGain.of(found.over_best),
    }
    reason = f"Over its best parent: {found.over_best}"
    if not better:
        return tried("no_better", reason, **measured)
    provenance = {
        "source": "improvement",
        "way": way,
        "parents": numbers,
        "sessions": sorted(own),
    }
    stored = await _stored(text, provenance, options)
    if stored is None:
        return tried("surplus", "There is no room: see `re2llm hints tidy`.", **measured)
    return tried("better", reason, hint_id=stored, **measured)


async def _refused(text: str, options: RunOptions) -> tuple[Outcome, str] | None:
    """Return why a text need not be tried."""
    async with in_domain(options) as (connection, domain):
        known = await known_key(connection, domain.id, hint_key(text), options.prompted_model)
    leak = (await leak_filter_of(options.services, domain)).leak(text)
    if leak is not None:
        return "leak", leak
    if known:
        return "duplicate", "The same text is stored already."
    return None


async def _compared(
    text: str, parents: Sequence[KeptHint], own: frozenset[int], options: RunOptions
) -> tuple[Comparison, bool]:
    """Try a child and its parents on more and more sessions, until one is clearly better.

    Returns:
        The last comparison, and whether the child is better by it.
    """
    panel = await random_panel(options.domain, options, leave_out=own)
    sessions = [*panel.first, *panel.more]
    first, *more = sorted({min(look, len(sessions)) for look in LOOKS})
    found = await _compared_on(sessions[:first], text, parents, options)
    for look in more:
        better = found.is_better(last=False)
        if better or found.is_hopeless:
            return found, better
        found = await _compared_on(sessions[:look], text, parents, options)
    return found, found.is_better(last=True)


async def _compared_on(
    sessions: Sequence[int], text: str, parents: Sequence[KeptHint], options: RunOptions
) -> Comparison:
    panel = Panel(sessions, ())
    child, *others = [
        await panel_gains(one, options.domain, panel, options, until_settled=False)
        for one in (text, *(parent.hint.text for parent in parents))
    ]
    return compare_with_parents(child, others)


async def _stored(text: str, provenance: Mapping[str, Any], options: RunOptions) -> int | None:
    """Store a child, and return its number; `None` if there is no room."""
    embedding = await embed(text, options)
    status = "pending" if options.settings.approve_hints else "active"
    async with in_domain(options, write=True) as (connection, domain):
        await hold_hints(connection, domain.id)
        if await count_kept(connection, domain.id) >= options.settings.hints_max:
            return None
        return await add_or_bring_back(
            connection,
            domain.id,
            text,
            embedding,
            options.prompted_model,
            provenance=provenance,
            status=status,
        )
