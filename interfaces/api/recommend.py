"""`/v1/recommend` and `/v1/recommend:batch`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import Header, Request
from pydantic import BaseModel, Field, TypeAdapter
from starlette.responses import Response

from ...operations.graphs import OnState
from ...operations.recommending.recommend import recommend
from ...operations.results import Recommended
from .callers import caller_of, context_of
from .documents import problems
from .limits import claim, explained
from .metrics import count_recommendation
from .problems import Problem
from .requests import BatchBody, RecommendBody
from .streaming import EVENTS_DOCUMENT, event_stream, wants_events
from .strict_routes import json_response, strict_router

_AT_ONCE = 16
"""Rows of one batch in progress."""
_ROW = TypeAdapter(RecommendBody)

router = strict_router()


class BatchRow(BaseModel):
    """What became of one request: an answer or a problem."""

    index: int = Field(description="Its place in `requests`, from 0.")
    answer: Recommended | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """What became of each request, in order."""

    rows: list[BatchRow]


@router.post(
    "/v1/recommend",
    operation_id="recommend",
    summary="Recommend what to choose next",
    response_model=Recommended,
    responses={**problems(), 200: EVENTS_DOCUMENT},
)
async def recommend_route(
    request: Request, body: RecommendBody, accept: Annotated[str, Header(max_length=500)] = ""
) -> Response:
    """Rank a catalogue's items for a session.

    With `Accept: text/event-stream`, the answer comes as events: `state` after each step of the
    graph, `item` with the best item, and `result` with the whole answer.
    """
    if wants_events(accept):
        return await event_stream(request, partial(_answer, request, body))
    return json_response(await _answer(request, body))


@router.post(
    "/v1/recommend:batch",
    operation_id="recommend_batch",
    summary="Answer several requests",
    response_model=BatchAnswer,
    response_model_exclude_unset=True,
    responses=problems(),
)
async def batch_route(request: Request, body: BatchBody) -> Response:
    """Answer each request on its own: one that cannot be answered has a problem in its row.

    For a key's limit of requests a minute, each row counts as one request.
    """
    caller = caller_of(request)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def row(index: int, given: object) -> BatchRow:
        async with turns:
            try:
                if index > 0 and caller is not None:  # the gate has counted the first one
                    await claim(caller)
                await asyncio.sleep(0)  # a large row takes long to check: others have their turn
                answer = await _answer(request, _ROW.validate_python(given))
            except Exception as error:  # noqa: BLE001  # one row must not end the others
                problem, _ = await explained(error, request.scope, RecommendBody)
                return BatchRow(index=index, problem=problem)
        return BatchRow(index=index, answer=answer)

    rows = await asyncio.gather(*(row(n, given) for n, given in enumerate(body.requests)))
    return json_response(BatchAnswer(rows=list(rows)), exclude_unset=True)


async def _answer(
    request: Request, body: RecommendBody, on_state: OnState | None = None
) -> Recommended:
    context = context_of(request, policy=body.policy, model=body.model, seed=body.seed)
    made = await recommend(
        context,
        body.history,
        candidates=body.candidates,
        domain=body.domain,
        k=body.k,
        user=body.user,
        on_state=on_state,
    )
    count_recommendation(made.llm_calls, made.flags)
    return made
