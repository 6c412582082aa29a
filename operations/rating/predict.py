"""Predicts one rating."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...nodes.rating.state import RatingResult
from ...rating.corpus import ReviewSource, request_from_reviews
from ...runtime.options import Context
from ..graphs import rate_graph, run_graph


async def predict_rating(context: Context, request: Mapping[str, Any]) -> RatingResult:
    """Predict how a user will rate an item.

    Args:
        request: Fields of `RatingRequest`; the graph checks them.

    Returns:
        The whole answer of the `rate` graph.

    Raises:
        Re2llmError: A field is missing or does not fit, or the budget allows no further call.
    """
    return cast("RatingResult", await run_graph(rate_graph(), request, context))


async def predict_from_reviews(
    context: Context, source: ReviewSource, user: str, item: str
) -> RatingResult:
    """Predict how a user of some reviews will rate an item of them.

    Args:
        source: The reviews, none of which is held out.
        item: An id, or a title in any case.

    Returns:
        The whole answer of the `rate` graph.

    Raises:
        Re2llmError: The reviews cannot be read, or none is of this user or of this item.
    """
    request = request_from_reviews(source.histories(), user, item)
    return await predict_rating(context, request.model_dump())
