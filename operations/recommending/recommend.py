"""Recommends what a person would choose next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from sqlalchemy.exc import SQLAlchemyError

from ...knowledge.engine import unreachable
from ...ranking.choosers import hint_choice
from ...ranking.serving_state import serving_state_of
from ...ranking.state import RecommendResult
from ...records import Item
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..catalogue.titles import in_catalogue
from ..graphs import OnState, run_recommend
from ..results import MOST_RECALLED, GivenHint, PickedHint, Recommended, RecommendedItem
from .reasons import reasons_for

_NO_YEAR = 10_000


async def recommend(
    context: Context,
    history: Sequence[str],
    *,
    candidates: Sequence[str] | None = None,
    domain: str | None = None,
    k: int = 10,
    user: str | None = None,
    on_state: OnState | None = None,
) -> Recommended:
    """Recommend what a person would choose next.

    Args:
        history: What they chose so far, oldest first: ids or titles.
        candidates: What to rank, ids or titles; `None` retrieves some.
        domain: Its name; `None` takes the context's.
        user: Any stable name of the person or the session, for rollouts; only a hash is stored.
        on_state: Called after each node of the graph.

    Raises:
        Re2llmError: The request cannot be answered; a title that could be several items is
            refused with those items.
    """
    if context.policy is not None:
        hint_choice(context.policy)
    options = await resolve_context(context)
    try:
        serving = await serving_state_of(options, domain or options.domain)
    except (OSError, SQLAlchemyError) as error:
        raise unreachable(options.services.engine, error) from error
    async with in_catalogue(options, serving.domain) as finder:
        chosen = await finder.resolve(history, "history")
        listed = None if candidates is None else await finder.resolve(candidates, "candidates")
    request: dict[str, Any] = {
        "domain": serving.domain.name,
        "history": [item.id for item in chosen],
        "candidates": None if listed is None else [item.id for item in listed],
        "k": k,
        "user": user,
    }
    result = cast(
        "RecommendResult",
        await run_recommend(request, replace(context, serving_state=serving), on_state),
    )
    async with in_catalogue(options, finder.domain) as finder:
        items = await finder.items([item["id"] for item in result["items"]])
    listed = [items[item["id"]] for item in result["items"]]
    because = await asyncio.to_thread(reasons_for, listed, chosen)
    return Recommended(
        recommendation_id=result["recommendation_id"],
        domain=result["domain"],
        history=[item.id for item in chosen[-MOST_RECALLED:]],
        history_titles=[item.title for item in chosen[-MOST_RECALLED:]],
        items=[
            RecommendedItem(**item, year=_year(its), because=why)
            for item, its, why in zip(result["items"], listed, because, strict=True)
        ],
        ranking=result["ranking"],
        hint=GivenHint(**result["hint"]),
        hints=[PickedHint(**hint) for hint in result["hints"]],
        model=result["model"],
        llm_calls=result["llm_calls"],
        flags=result["flags"],
        faults=result["faults"],
        model_error=result["model_error"],
    )


def _year(item: Item) -> int | None:
    given = item.attributes.get("year")
    if isinstance(given, str) and len(given) == len("2000") and given.isdecimal():
        return int(given)
    return int(given) if isinstance(given, int | float) and 0 < given < _NO_YEAR else None
