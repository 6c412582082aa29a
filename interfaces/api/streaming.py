"""Answers as server-sent events, for clients that ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import orjson
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ...operations.graphs import OnState
from .limits import explained
from .problems import problem_response

MEDIA_TYPE = "text/event-stream"
EVENTS_DOCUMENT: dict[str, Any] = {
    "description": "The answer; with `Accept: text/event-stream`, as events.",
    "content": {
        MEDIA_TYPE: {
            "schema": {"type": "string"},
            "example": 'event: state\ndata: {"state":"prepare"}\n\n'
            'event: item\ndata: {"rank":1,"id":"aliens-1986","title":"Aliens"}\n\n'
            'event: result\ndata: {"recommendation_id":"…","items":[]}\n\n',
        }
    },
}
_QUIET = 15.0
"""Seconds after which a comment shows proxies that the stream is alive."""
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_LAST = frozenset({"result", "problem"})

Work = Callable[[OnState], Awaitable[BaseModel]]
_Event = tuple[str, bytes]


def wants_events(accept: str) -> bool:
    """Whether a client asks for events.

    Args:
        accept: The header `Accept`.
    """
    return any(part.partition(";")[0].strip().lower() == MEDIA_TYPE for part in accept.split(","))


async def event_stream(request: Request, work: Work) -> Response:
    """Return the events of some work. The client's leaving cancels it.

    What goes wrong before the first event is answered as without events; later, the last event is
    `problem`.

    Args:
        request: The request.
        work: Returns the answer, and reports the states on the way.
    """
    waiting: asyncio.Queue[_Event | Exception] = asyncio.Queue()

    def report(state: str, update: Mapping[str, Any]) -> None:
        if update.get("error"):  # the work raises it
            return
        waiting.put_nowait(("state", orjson.dumps({"state": state})))
        for item in (update.get("items") or ())[:1]:
            waiting.put_nowait(("item", orjson.dumps(item)))

    async def run() -> None:
        try:
            answer = await work(report)
        except Exception as error:  # noqa: BLE001  # it becomes a problem
            waiting.put_nowait(error)
        else:
            waiting.put_nowait(("result", answer.__pydantic_serializer__.to_json(answer)))

    task = asyncio.create_task(run())
    try:
        first = await waiting.get()
    except BaseException:
        task.cancel()
        raise
    if isinstance(first, Exception):
        return problem_response(*await explained(first, request.scope))
    return StreamingResponse(
        _events(request, first, waiting, task), headers=_HEADERS, media_type=MEDIA_TYPE
    )


async def _events(
    request: Request,
    first: _Event,
    waiting: asyncio.Queue[_Event | Exception],
    task: asyncio.Task[None],
) -> AsyncGenerator[bytes]:
    event: _Event | Exception = first
    try:
        while True:
            if isinstance(event, Exception):
                problem, _ = await explained(event, request.scope)
                event = ("problem", orjson.dumps(problem.model_dump(exclude_unset=True)))
            name, data = event
            yield format_sse_event(event=name, data_str=data.decode())
            if name in _LAST:
                return
            while True:
                try:
                    event = await asyncio.wait_for(waiting.get(), _QUIET)
                    break
                except TimeoutError:
                    yield KEEPALIVE_COMMENT
    finally:
        task.cancel()
