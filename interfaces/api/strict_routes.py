"""Routes that take strict JSON of a limited size, and answer every error as a problem."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from ..large_numbers import TOO_LARGE, place_of_large_number
from .limits import explained
from .problems import ProblemError, problem_response

LARGEST_BODY = 4 * 2**20
"""Bytes."""
_DISCARDED = 4 * LARGEST_BODY
"""Bytes to read and drop of a larger body: a client that is still sending reads no answer."""
DEEPEST = 16
"""Lists and objects inside each other."""

LONGEST_LIST = 20_000
MOST_KEYS = 1_000
MOST_PARTS = 50_000
"""Lists and objects. What is beyond fits no field, and each part would be an error of its own:
hundreds of thousands of them take seconds, in which nobody else is answered."""

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRequest(Request):
    """A request whose body is read no further than its limit, and only as strict JSON."""

    async def body(self) -> bytes:
        """Return the body.

        Raises:
            ProblemError: It is too large.
        """
        if not hasattr(self, "_body"):
            self._body = await self._read()
        if self._body and not self._is_json():
            raise ProblemError(
                415,
                "The body's media type is not JSON.",
                remedy="Send `Content-Type: application/json`.",
            )
        return self._body

    async def json(self) -> Any:
        """Return the JSON document: no NaN, no infinity, not too deep.

        Raises:
            JSONDecodeError: The body is none.
            ProblemError: It is too deep, or has a number that is too large.
        """
        body = await self.body()
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            if TOO_LARGE not in error.msg:
                raise
            place = place_of_large_number(body)
            raise ProblemError(
                422,
                f"{place}: The number is too large.",
                field=place,
                type="urn:re2llm:input",
                remedy="Send ids of so many digits as texts.",
            ) from None
        problem = _fault_of(document)
        if problem:
            raise ProblemError(422, problem, field="body", type="urn:re2llm:input")
        return document

    async def _read(self) -> bytes:
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > _DISCARDED:
            raise _too_large()
        body = bytearray()
        size = 0
        async for part in self.stream():
            size += len(part)
            if size > _DISCARDED:
                break
            if size <= LARGEST_BODY:
                body += part
        if size > LARGEST_BODY:
            raise _too_large()
        return bytes(body)

    def _is_json(self) -> bool:
        media = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return media == "application/json" or (
            media.startswith("application/") and media.endswith("+json")
        )


class StrictRoute(APIRoute):
    """A route that reads its requests strictly and raises no error."""

    def get_route_handler(self) -> _Handler:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await answer(StrictRequest(request.scope, request.receive))
            except Exception as error:  # noqa: BLE001  # each becomes a problem
                return problem_response(*await explained(error, request.scope))

        return handle


def strict_router() -> APIRouter:
    """Return a router of such routes. Its answers are written by `json_response`."""
    return APIRouter(route_class=StrictRoute)


def json_response(answer: BaseModel, *, exclude_unset: bool = False) -> Response:
    """Return an answer as JSON, without validating again what an operation has returned.

    Args:
        answer: To send.
        exclude_unset: Whether to leave out what was not set.
    """
    content = answer.__pydantic_serializer__.to_json(answer, exclude_unset=exclude_unset)
    return Response(content, media_type="application/json")


def _too_large() -> ProblemError:
    return ProblemError(
        413,
        f"The body is larger than {LARGEST_BODY:,} bytes.",
        remedy="Send less at a time.",
    )


def _fault_of(document: object) -> str:
    """Say why a document cannot be checked field by field in no time, or nothing if it can."""
    level = [document]
    parts = 0
    for _ in range(DEEPEST + 1):
        parts += len(level)
        if parts > MOST_PARTS:
            return f"It has more than {MOST_PARTS:,} lists and objects."
        if any(map(_is_long, level)):
            return f"A list has over {LONGEST_LIST:,} entries, or an object {MOST_KEYS:,} keys."
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return ""
    return f"Lists and objects are nested more than {DEEPEST} deep."


def _is_long(part: object) -> bool:
    if isinstance(part, dict):
        return len(cast("dict[str, object]", part)) > MOST_KEYS
    return isinstance(part, list) and len(cast("list[object]", part)) > LONGEST_LIST


def _within(document: object) -> list[object]:
    """Return the lists and objects directly inside a list or an object."""
    if isinstance(document, dict):
        inner = list(cast("dict[str, object]", document).values())
    elif isinstance(document, list):
        inner = cast("list[object]", document)
    else:
        return []
    return [value for value in inner if isinstance(value, dict | list)]
