"""Lists, shows, adds, approves and retires hints."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from ...knowledge.domain_locks import hold_hints
from ...knowledge.hint_store import hints as stored_hints
from ...knowledge.hint_store.lineage import hint_lineage
from ...knowledge.hint_store.pages import hint_on_page
from ...knowledge.hint_store.reflections import Proposal, store_proposal
from ...knowledge.hint_store.stats import measured_hints
from ...ranking.hints.repeats import embed
from ...runtime.context import Context
from ...runtime.domain_cache import leak_filter_of
from ...runtime.options import resolve_context
from ..database import find_run_domain, in_domain
from .results import AddedHint, HintGain, ListedHint, ListedHints, MeasuredGain
from .understanding import understanding_of


async def list_hints(
    context: Context,
    *,
    domain: str | None = None,
    status: str | None = None,
    after: int = 0,
    count: int | None = None,
) -> ListedHints:
    """List a domain's hints with their gains measured on the run's model, oldest first.

    Args:
        domain: Its name; `None` takes the context's.
        status: Only those that are `active`, `pending` or `retired`.
        after: Only those with a greater id.
        count: The highest number to return.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        hints = await measured_hints(
            connection, found.id, options.prompted_model, status=status, after=after, count=count
        )
        untried = [hint.id for hint in hints if hint.trials == 0]
        last = {
            hint.id: hint for hint in await stored_hints.find_hints(connection, found.id, untried)
        }
    listed = [
        ListedHint(
            id=hint.id,
            text=hint.text,
            status=hint.status,
            trials=hint.trials,
            mean_gain=round(hint.mean_gain, 4),
            gain_error=round(hint.gain_error, 4),
            helped=hint.helped,
            harmed=hint.harmed,
            **_elsewhere(last.get(hint.id)),
        )
        for hint in hints
    ]
    return ListedHints(domain=found.name, model=options.model, hints=listed)


def _elsewhere(hint: stored_hints.Hint | None) -> dict[str, Any]:
    if hint is None or not hint.trials:
        return {"gain_elsewhere": None}
    return {"gain_elsewhere": round(hint.mean_gain, 4), "trials_elsewhere": hint.trials}


async def show_hint(
    context: Context, hint: int, *, domain: str | None = None, conversation: bool = False
) -> dict[str, Any]:
    """Return where a hint comes from: the miss, the diagnosis, the gains, the uses.

    Args:
        domain: Its name; `None` takes the context's.
        conversation: Whether to add every message of the reflections.

    Returns:
        JSON primitives: what `knowledge.hint_store.lineage.hint_lineage` returns, and `domain`.
        `measured` is a `HintGain` that counts random training sessions only; where there are none,
        `measured_elsewhere` is the last one of another model or prompt. `trials` also count
        sessions that the hint was chosen to help.

    Raises:
        Re2llmError: There is no such hint.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        story = await hint_lineage(connection, found, hint, conversation=conversation)
        stats = await hint_on_page(connection, found.id, options.prompted_model, hint)
        (last,) = await stored_hints.find_hints(connection, found.id, [hint])
    elsewhere = MeasuredGain.on(last) if last.trials and not stats.trials else None
    return {
        **story,
        "domain": found.name,
        "measured": HintGain.on(stats, **options.prompted_model.columns).model_dump(mode="json"),
        "measured_elsewhere": elsewhere and elsewhere.model_dump(mode="json"),
    }


async def approve_hints(
    context: Context,
    hints: Sequence[int],
    *,
    domain: str | None = None,
    reason: str = "A person approved it.",
) -> None:
    """Activate pending or retired hints: all of them, or none.

    Args:
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: One of them does not exist; none was changed.
    """
    await _set_status(context, hints, domain, "active", reason)


async def retire_hints(
    context: Context,
    hints: Sequence[int],
    *,
    domain: str | None = None,
    reason: str = "A person retired it.",
) -> None:
    """Retire hints: all of them, or none. Their trials are kept.

    Args:
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: One of them does not exist; none was changed.
    """
    await _set_status(context, hints, domain, "retired", reason)


async def _set_status(
    context: Context, hints: Sequence[int], domain: str | None, status: str, reason: str
) -> None:
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        await hold_hints(connection, found.id)
        await stored_hints.find_hints(connection, found.id, hints)
        for hint in hints:
            await stored_hints.set_status(connection, found.id, hint, status, reason)


async def add_hint(context: Context, text: str, *, domain: str | None = None) -> AddedHint:
    """Store a person's hint. It needs no verification, but may not name an item.

    Args:
        text: The text as the person wrote it; HTML entities are resolved.
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: The text is empty or too long, or there is no such domain.
    """
    return await _store(context, text, domain, {"source": "person"}, "active")


async def edit_hint(
    context: Context,
    hint: int,
    text: str,
    *,
    domain: str | None = None,
    retire: bool = False,
) -> AddedHint:
    """Store a new version of a hint, as a separate hint that waits for verification.

    The old hint's trials say nothing about the new text, so it keeps them, and its status.

    Args:
        hint: The version that was edited.
        text: The text as the person wrote it; HTML entities are resolved.
        domain: Its name; `None` takes the context's.
        retire: Whether the old version is not given any more, once the new one is stored.

    Raises:
        Re2llmError: There is no such hint, or the text cannot be used.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        await stored_hints.find_hints(connection, found.id, [hint], field="hint")
    provenance = {"source": "person", "version_of": hint}
    added = await _store(context, text, domain, provenance, "pending")
    if retire and added.outcome == "stored":
        reason = f"Hint {added.hint_id} is a new version of it."
        await retire_hints(context, [hint], domain=domain, reason=reason)
    return added


async def _store(
    context: Context, text: str, domain: str | None, provenance: dict[str, Any], status: str
) -> AddedHint:
    cleaned = stored_hints.clean_hint(html.unescape(text))
    options = await resolve_context(context)
    # One at a time, and with no connection in hand while it is checked and embedded: however many
    # one caller sends, they leave connections to others.
    async with options.services.one_at_a_time(f"hint of {options.source}".encode()):
        found = await find_run_domain(options, domain)
        leak = (await leak_filter_of(options.services, found)).leak(cleaned)
        embedding = None if leak is not None else await embed(cleaned, options)
        async with in_domain(options, domain, write=True) as (connection, found):
            await hold_hints(connection, found.id)
            if embedding is None:
                added = AddedHint(text=cleaned, outcome="leak", reason=leak or "")
            else:
                hint_id, new = await stored_hints.add_hint(
                    connection, found.id, cleaned, embedding, provenance=provenance, status=status
                )
                added = AddedHint(
                    text=cleaned,
                    outcome="stored" if new else "duplicate",
                    reason="" if new else "The same text is stored already.",
                    hint_id=hint_id,
                )
            proposal = Proposal(cleaned, added.outcome, added.reason, added.hint_id)
            await store_proposal(connection, found.id, None, proposal)
        if added.outcome != "leak":
            added.understood = await understanding_of(found.name, cleaned, options)
    return added
