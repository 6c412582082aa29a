"""What other programs may ask for: recommend, take feedback, rate, find titles, list hints.

Tools, the MCP server and the `Re2llm` object are thin wrappers around these.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.domains import find_domain
from ..knowledge.engine import unreachable
from ..knowledge.feedback import store_feedback
from ..knowledge.hints import list_hints
from ..ranking.state import RecommendResult
from ..runtime.options import Context, RunOptions, resolve_context
from .graphs import RATE, RECOMMEND, run_graph
from .learn_from_feedback import learn_from_misses
from .reasons import Reasons
from .results import (
    FeedbackStored,
    FoundTitles,
    GivenHint,
    ListedHint,
    ListedHints,
    Rated,
    Recommended,
    RecommendedItem,
)
from .titles import Finder

NONE_OF_THESE = "none of these"
"""What a picker says who took nothing."""


async def recommend(
    context: Context,
    history: Sequence[str],
    *,
    candidates: Sequence[str] | None = None,
    domain: str | None = None,
    k: int = 10,
) -> Recommended:
    """Recommend what a person would choose next.

    Args:
        context: The run's options.
        history: What they chose so far, oldest first: ids or titles.
        candidates: What to rank, ids or titles; `None` retrieves some.
        domain: The catalogue; `None` takes the context's.
        k: How many to return.

    Raises:
        Re2llmError: The request cannot be answered; a title that could be several items is
            refused with those items.
    """
    options = await resolve_context(context)
    name = domain or options.domain
    async with _catalogue(options, name) as finder:
        ids = await finder.ids(history, "history")
        listed = None if candidates is None else await finder.ids(candidates, "candidates")
    request: Any = {"domain": name, "history": ids, "candidates": listed, "k": k}
    result = cast("RecommendResult", await run_graph(RECOMMEND, request, context))
    async with _catalogue(options, name) as finder:
        items = await finder.items([*ids, *(item["id"] for item in result["items"])])
    reasons = Reasons(
        [items[item["id"]] for item in result["items"]], [items[item] for item in ids]
    )
    return Recommended(
        recommendation_id=result["recommendation_id"],
        domain=result["domain"],
        history=ids,
        items=[
            RecommendedItem(**item, because=reasons.of(items[item["id"]]))
            for item in result["items"]
        ],
        ranking=result["ranking"],
        hint=GivenHint(**result["hint"]),
        model=result["model"],
        flags=result["flags"],
    )


async def give_feedback(
    context: Context,
    recommendation_id: str,
    picked: str | None,
    *,
    domain: str | None = None,
    learn: bool = True,
) -> FeedbackStored:
    """Store what a person did with a recommendation, and learn from a miss in the background.

    Args:
        context: The run's options.
        recommendation_id: As the answer carried it.
        picked: The chosen item, id or title; `None` for none of these.
        domain: The recommendation's catalogue; `None` takes the context's.
        learn: Whether a miss may start learning.

    Raises:
        Re2llmError: There is no such recommendation or item, or other feedback is stored already.
    """
    options = await resolve_context(context)
    name = domain or options.domain
    async with _catalogue(options, name) as finder:
        item = None if picked is None else (await finder.ids([picked], "picked"))[0]
    async with _database(options), options.services.engine.begin() as connection:
        found = await find_domain(connection, name, among=options.domains)
        stored = await store_feedback(connection, found, recommendation_id, item)
    settings = options.settings
    # Learning is paid for by the server.
    may_learn = options.caller is None or "learn" in options.caller.grants.may
    teaches = (
        learn
        and may_learn
        and stored.missed
        and settings.feedback_calls > 0
        and stored.model == settings.model
    )
    if teaches and stored.new:
        options.services.background.send(
            "learning from feedback", partial(learn_from_misses, options.services)
        )
    return FeedbackStored(
        recommendation_id=stored.recommendation_id,
        picked=stored.picked,
        rank=stored.rank,
        reward=stored.reward,
        missed=stored.missed,
        new=stored.new,
        learning=teaches,
    )


async def rate(context: Context, request: Mapping[str, Any]) -> Rated:
    """Predict how a person will rate an item.

    Args:
        context: The run's options.
        request: Of the shape of `RatingRequest`.

    Raises:
        Re2llmError: A field is missing or does not fit.
    """
    answer = await run_graph(RATE, request, context)
    return Rated(**{name: answer[name] for name in Rated.model_fields})


async def find_titles(
    context: Context, titles: Sequence[str], *, domain: str | None = None
) -> FoundTitles:
    """Find the items that some titles stand for, whatever the typing errors.

    Args:
        context: The run's options.
        titles: As a person wrote them.
        domain: The catalogue; `None` takes the context's.

    Raises:
        Re2llmError: There is no such catalogue.
    """
    options = await resolve_context(context)
    async with _catalogue(options, domain or options.domain) as finder:
        return FoundTitles(titles=[await finder.find(title) for title in titles])


async def hints_of(context: Context, *, domain: str | None = None) -> ListedHints:
    """List a domain's hints with what each has brought.

    Args:
        context: The run's options.
        domain: The catalogue; `None` takes the context's.

    Raises:
        Re2llmError: There is no such catalogue.
    """
    options = await resolve_context(context)
    async with _database(options), options.services.engine.connect() as connection:
        name = domain or options.domain
        found = await find_domain(connection, name, among=options.domains)
        hints = await list_hints(connection, found.id)
    listed = [
        ListedHint(
            id=hint.id,
            text=hint.text,
            status=hint.status,
            trials=hint.trials,
            mean_gain=round(hint.mean_gain, 4),
            helped=hint.helped,
            harmed=hint.harmed,
        )
        for hint in hints
    ]
    return ListedHints(domain=found.name, hints=listed)


@asynccontextmanager
async def _catalogue(options: RunOptions, domain: str) -> AsyncGenerator[Finder]:
    async with _database(options), options.services.engine.connect() as connection:
        yield await _finder(connection, domain, options)


async def _finder(connection: AsyncConnection, domain: str, options: RunOptions) -> Finder:
    found = await find_domain(connection, domain, among=options.domains)
    return Finder(connection, found, options.services)


@asynccontextmanager
async def _database(options: RunOptions) -> AsyncGenerator[None]:
    try:
        yield
    except (OSError, SQLAlchemyError) as error:
        raise unreachable(options.services.engine, error) from error


def picked_or_none(picked: str | None) -> str | None:
    """Read what a model or a person sends for "I took nothing".

    Args:
        picked: An item, `None`, or words for none.
    """
    if picked is None or picked.strip().casefold() in {"", "none", "null", NONE_OF_THESE}:
        return None
    return picked
