"""Fits a domain's first stage from its training sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...knowledge.catalogue import fetch_embeddings, fetch_items
from ...knowledge.first_stages import Forgotten, describe_first_stage, store_first_stage
from ...knowledge.sessions.evidence import EvidenceIndex
from ...knowledge.sessions.training_sessions import count_sessions, training_sessions
from ...policies.first_stage.features import OFTEN
from ...ranking.first_stage import first_stage_task
from ...ranking.hints.panels import random_sessions
from ...records import Item, Session
from ...runtime.domain_cache import evidence_of
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ..catalogue.titles import in_catalogue
from ..database import in_domain

_MOST = 4000
"""Sessions to learn the scorer from, which bounds the time of a fit; each counts twice where most
choose again what they had."""
_MOST_SEEN = 50
_CHANGED = 0.1
_STAGE = "fitting the first stage"


async def fit_first_stage(
    options: RunOptions, *, progress: Progress = silent
) -> Mapping[str, Any] | None:
    """Fit the first stage, unless there is one that still fits.

    A new one makes the trials on the old one's candidates worthless. So it is fitted again only
    when the number of training sessions has changed by a tenth.

    Args:
        progress: Called with the stage `fitting the first stage`.

    Returns:
        How it does on sessions that it has not seen, and on earlier states of those that chose
        again (`sessions`, `learned`, `sum`, `kept`), and how many training sessions there were
        (`of`); `None` where there are none.
    """
    metrics, _ = await refit_first_stage(options, progress=progress)
    return metrics


async def refit_first_stage(
    options: RunOptions, *, progress: Progress = silent
) -> tuple[Mapping[str, Any] | None, Forgotten]:
    """Fit it likewise, and also return what was forgotten with the old one."""
    # Of those that want the same fit, one does the work.
    async with options.services.one_at_a_time(f"first stage {options.domain}".encode()):
        return await _fit(options, progress)


async def _fit(
    options: RunOptions, progress: Progress
) -> tuple[Mapping[str, Any] | None, Forgotten]:
    async with in_domain(options) as (connection, domain):
        known = await describe_first_stage(connection, domain.id)
        if known is not None and known.revision == domain.revision:
            return known.metrics, Forgotten()
        count = await count_sessions(connection, domain)
        if known is not None and abs(count - known.metrics["of"]) < _CHANGED * known.metrics["of"]:
            return known.metrics, Forgotten()
    async with in_catalogue(options, domain):
        index = await evidence_of(options.services, domain)
    if index is None:
        return None, Forgotten()
    async with in_domain(options, domain.name) as (connection, domain):
        sessions = await training_sessions(connection, domain)
        drawn = set(random_sessions(index.trusted_keys, _MOST, options.settings.seed))
        chosen = [(key, s) for key, s in sessions if key in drawn and s.candidates]
        wanted = {i for _, s in chosen for i in (*s.history, *(s.candidates or ()))}
        items = await fetch_items(connection, domain, sorted(wanted))
        embeddings = await fetch_embeddings(connection, domain, sorted(wanted))
    loop = asyncio.get_running_loop()

    def report(done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, _STAGE, done, total)

    model, metrics = await asyncio.to_thread(
        fitted, sessions, chosen, items, embeddings, index, options.settings.prompt_history, report
    )
    # Under the revision whose sessions it knows: what came meanwhile must count as new.
    async with in_domain(options, write=True) as (connection, _):
        return await store_first_stage(connection, domain, model, metrics)


def fitted(
    sessions: Sequence[tuple[int, Session]],
    chosen: Sequence[tuple[int, Session]],
    items: Mapping[str, Item],
    embeddings: Mapping[str, NDArray[np.float32]],
    index: EvidenceIndex,
    longest: int,
    report: Callable[[int, int], None],
) -> tuple[bytes, dict[str, Any]]:
    """Fit the first stage, and return it with how it does. Blocks.

    Args:
        sessions: Key and session of all training sessions.
        chosen: Those to learn the scorer from, with candidates.
        items: Those of the catalogue that they name.
        embeddings: Their embeddings, shape `[384]` each.
        longest: How many items of a history are looked at.
        report: Called with finished and all steps.
    """
    from ...policies.first_stage.learning import (  # noqa: PLC0415  # torch takes seconds to load
        LearningSession,
        fit_first_stage,
    )

    learning: list[LearningSession] = []
    often = chosen if index.repeats >= OFTEN else ()
    renewed = [(key, new) for key, one in often if (new := _at_its_last_new_item(one)) is not None]
    for number, (key, session) in enumerate([*chosen, *renewed]):
        candidates = [i for i in session.candidates or () if i in items]
        if session.target not in candidates or len(candidates) != len(session.candidates or ()):
            continue  # an item has left the catalogue
        offered = len(candidates)
        if index.repeats:  # sampled candidates hold no other item of the history
            recent = dict.fromkeys(reversed(session.history[-_MOST_SEEN:]))
            candidates += [i for i in recent if i in items and i not in candidates]
        evidence = index.table(session.history, candidates, leave_out=key)
        past = [items[i] for i in session.history[-longest:] if i in items]
        listed = [items[i] for i in candidates]
        task = first_stage_task(session.history, past, listed, evidence, embeddings, index.repeats)
        row = candidates.index(session.target)
        learning.append(LearningSession(key, task, row, offered, stored=number < len(chosen)))
    # No API key alone decides what people choose: its surplus counts here no more than as evidence.
    counted = [one for one in sessions if one[0] not in index.beyond] or sessions
    late = set(index.keys)
    recent = sum(key not in late for key, _ in counted)
    model, found = fit_first_stage(counted, learning, recent, progress=report)
    return model.dump(), {**found.as_dict(), "of": len(sessions)}


def _at_its_last_new_item(session: Session) -> Session | None:
    """Return a session that chose an item again as it was before its last new item.

    Where most people choose again, nothing else shows how they choose what is new to them, which is
    what is recommended.

    Returns:
        With the new item as its target and among its candidates; `None` where the target is new.
    """
    first = dict.fromkeys(session.history)
    if session.target not in first or len(first) < 2 or session.candidates is None:  # noqa: PLR2004
        return None
    *_, new = first
    history = session.history[: session.history.index(new)]
    offered = [new if item == session.target else item for item in session.candidates]
    return Session(history, new, tuple(dict.fromkeys(offered)))
