"""`/v1/rate`."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from ...operations.rating.rate import rate
from ...operations.rating.results import Rated
from .callers import context_of
from .documents import problems
from .requests import RateBody
from .strict_routes import json_response, strict_router

router = strict_router()


@router.post(
    "/v1/rate",
    operation_id="rate",
    summary="Predict a rating",
    response_model=Rated,
    responses=problems(),
)
async def rate_route(request: Request, body: RateBody) -> Response:
    """Predict how a person will rate an item."""
    return json_response(await rate(context_of(request), body.model_dump(exclude_unset=True)))
