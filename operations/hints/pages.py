"""Pages of hints for people, and of the sessions on which one was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge.domains import Domain
from ...knowledge.hint_store.lineage import hint_story
from ...knowledge.hint_store.pages import (
    HintOnPage,
    HintSort,
    count_by_status,
    hint_on_page,
    page_of_hints,
    versions_of,
)
from ...knowledge.hint_store.trials_of_hint import HintTrial, trials_of_hint
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..counted_uses import bring_counts_up_to_date
from ..database import in_domain

__all__ = [
    "HintOnPage",
    "HintPage",
    "HintSort",
    "HintTrial",
    "MeasuredHint",
    "WholeHint",
    "hint_page",
    "measured_hint",
    "whole_hint",
]


@dataclass(frozen=True, slots=True)
class HintPage:
    """Some of a domain's hints.

    Attributes:
        model: The model on which the gains were measured.
        hints: The hints on this page.
        counts: How many of the hints with the words have which status.
        total: How many there are on all pages.
    """

    model: str
    hints: list[HintOnPage]
    counts: dict[str, int]
    total: int


@dataclass(frozen=True, slots=True)
class MeasuredHint:
    """A hint with its stats.

    Attributes:
        model: The model on which they were measured.
        hint: The hint.
        versions: Hints that are new versions of it.
    """

    model: str
    hint: HintOnPage
    versions: list[int]


@dataclass(frozen=True, slots=True)
class WholeHint:
    """A hint with all that is known of it.

    Attributes:
        measured: The hint with its stats on the run's model.
        story: Where it comes from, and what was decided on it, as
            `knowledge.hint_store.lineage.hint_story` describes it, with the conversations.
        trials: Some of the sessions on which it was tried, the greatest harm first.
        total: How many trials there are in all.
    """

    measured: MeasuredHint
    story: dict[str, Any]
    trials: list[HintTrial]
    total: int


async def hint_page(
    context: Context,
    *,
    domain: str | None = None,
    status: str | None = None,
    words: str = "",
    sort: HintSort = "age",
    descending: bool = False,
    skip: int = 0,
    count: int = 50,
) -> HintPage:
    """Return a page of a domain's hints.

    Args:
        domain: Its name; `None` takes the context's.
        status: Only those that are `active`, `pending` or `retired`.
        words: Only those whose text holds this; empty for all.
        sort: The order: by age, gain, uses or trials.
        skip: How many to leave out, from the first.
        count: The highest number to return.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    await bring_counts_up_to_date(options, domain)
    async with in_domain(options, domain) as (connection, found):
        counts = await count_by_status(connection, found.id, words)
        total = sum(counts.values()) if status is None else counts.get(status, 0)
        # Where no more match, a search would read all texts again.
        count = min(count, max(0, total - skip))
        hints = await page_of_hints(
            connection,
            found.id,
            options.prompted_model,
            status=status,
            words=words,
            sort=sort,
            descending=descending,
            skip=skip,
            count=count,
        )
    return HintPage(options.model, hints, counts, total)


async def measured_hint(context: Context, hint: int, *, domain: str | None = None) -> MeasuredHint:
    """Return a hint with its stats on the run's model.

    Args:
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such hint.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        return await _measured(connection, found, hint, options)


async def whole_hint(
    context: Context, hint: int, *, domain: str | None = None, skip: int = 0, count: int = 20
) -> WholeHint:
    """Return a hint with its stats, its story and some of its trials.

    Args:
        domain: Its name; `None` takes the context's.
        skip: How many trials to leave out, from the first.
        count: How many trials at most.

    Raises:
        Re2llmError: There is no such hint.
    """
    options = await resolve_context(context)
    await bring_counts_up_to_date(options, domain)
    async with in_domain(options, domain) as (connection, found):
        measured = await _measured(connection, found, hint, options)
        story = await hint_story(connection, found, hint, conversation=True)
        trials, total = await trials_of_hint(connection, found, hint, skip=skip, count=count)
    return WholeHint(measured, story, trials, total)


async def _measured(
    connection: AsyncConnection, domain: Domain, hint: int, options: RunOptions
) -> MeasuredHint:
    measured = await hint_on_page(connection, domain.id, options.prompted_model, hint)
    return MeasuredHint(options.model, measured, await versions_of(connection, domain.id, hint))
