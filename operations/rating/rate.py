"""Predicts how a person will rate an item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...rating.request import refuse_unknown_keys
from ...runtime.context import Context
from ..graphs import rate_graph, run_graph
from .results import Rated


async def rate(context: Context, request: Mapping[str, Any]) -> Rated:
    """Predict how a person will rate an item.

    Args:
        request: A request in the shape of `RatingRequest`.

    Raises:
        Re2llmError: A field is missing, unknown or does not fit, or the budget allows no further
            call.
    """
    refuse_unknown_keys(request)
    answer = await run_graph(rate_graph(), request, context)
    return Rated(**{name: answer[name] for name in Rated.model_fields})
