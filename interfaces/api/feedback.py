"""`/v1/feedback`."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from ...operations.recommending.feedback import give_feedback
from ...operations.results import FeedbackStored
from .callers import context_of
from .documents import problems
from .idempotency import IdempotencyKey, once
from .requests import FeedbackBody
from .strict_routes import json_response, strict_router

router = strict_router()


@router.post(
    "/v1/feedback",
    operation_id="feedback",
    summary="Store what a person picked",
    response_model=FeedbackStored,
    responses=problems(409),
)
async def feedback_route(
    request: Request, body: FeedbackBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """Store what a person did with a recommendation; a miss may be learned from."""
    context = context_of(request)

    async def work() -> FeedbackStored:
        return await give_feedback(
            context, body.recommendation_id, body.picked, domain=body.domain, learn=body.learn
        )

    if idempotency_key is None:
        return json_response(await work())
    return json_response(await once(context, idempotency_key, body, FeedbackStored, work))
