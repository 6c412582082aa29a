"""Predicts a rating from reviews."""

from __future__ import annotations

import asyncio

from ...rating.corpus import ReviewSource, request_from_reviews
from ...runtime.context import Context
from .rate import rate
from .results import Rated


async def predict_from_reviews(
    context: Context, source: ReviewSource, user: str, item: str
) -> Rated:
    """Predict how a user of some reviews will rate an item of them.

    Args:
        source: The reviews, none of which is held out.
        item: An id, or a title in any case.

    Raises:
        Re2llmError: The reviews cannot be read, none is of this user or of this item, or the budget
            allows no further call.
    """
    histories = await asyncio.to_thread(source.histories)
    request = request_from_reviews(histories, user, item, source.scale_for(histories))
    return await rate(context, request.model_dump())
