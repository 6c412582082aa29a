"""Pages of hints for people, and of the sessions on which one was tried."""

from __future__ import annotations

from dataclasses import dataclass

from ..knowledge.hint_pages import (
    HintOnPage,
    HintSort,
    count_by_status,
    hint_on_page,
    page_of_hints,
    versions_of,
)
from ..knowledge.lineage import HintTrial, trials_of_hint
from ..runtime.options import Context, resolve_context
from .database import in_domain

__all__ = [
    "HintOnPage",
    "HintPage",
    "HintSort",
    "HintTrial",
    "MeasuredHint",
    "hint_page",
    "hint_trials",
    "measured_hint",
]


@dataclass(frozen=True, slots=True)
class HintPage:
    """Some of a domain's hints.

    Attributes:
        model: On which the gains were measured.
        hints: Of this page.
        counts: How many hints have which status, of those that hold the words.
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
        model: On which they were measured.
        hint: The hint.
        versions: Hints that are new versions of it.
    """

    model: str
    hint: HintOnPage
    versions: list[int]


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
        domain: The catalogue; `None` takes the context's.
        status: Only those that are `active`, `pending` or `retired`.
        words: Only those whose text holds this; empty for all.
        sort: By age, gain, uses or trials.
        skip: How many to leave out, from the first.
        count: How many at most.

    Raises:
        Re2llmError: There is no such catalogue.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        counts = await count_by_status(connection, found.id, words)
        hints = await page_of_hints(
            connection,
            found.id,
            options.model,
            options.prompt_version,
            status=status,
            words=words,
            sort=sort,
            descending=descending,
            skip=skip,
            count=count,
        )
    total = sum(counts.values()) if status is None else counts.get(status, 0)
    return HintPage(options.model, hints, counts, total)


async def measured_hint(context: Context, hint: int, *, domain: str | None = None) -> MeasuredHint:
    """Return a hint with its stats on the run's model.

    Args:
        domain: The catalogue; `None` takes the context's.

    Raises:
        Re2llmError: There is no such hint.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        measured = await hint_on_page(
            connection, found.id, options.model, options.prompt_version, hint
        )
        return MeasuredHint(options.model, measured, await versions_of(connection, found.id, hint))


async def hint_trials(
    context: Context, hint: int, *, domain: str | None = None, skip: int = 0, count: int = 20
) -> tuple[list[HintTrial], int]:
    """Return some of the sessions on which a hint was tried, the greatest harm first.

    Args:
        domain: The catalogue; `None` takes the context's.
        skip: How many to leave out, from the first.
        count: How many at most.

    Returns:
        The trials, and how many there are in all.

    Raises:
        Re2llmError: There is no such hint.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        return await trials_of_hint(connection, found, hint, skip=skip, count=count)
