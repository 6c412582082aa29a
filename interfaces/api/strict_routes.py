"""Routes that take strict JSON of a limited size, and answer every error as a problem."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from ...errors import InputError
from ..head_too import HeadToo
from ..strict_json import strict_document
from .limits import explained
from .problems import ProblemError, problem_response

LARGEST_BODY = 4 * 2**20
"""Bytes."""
_DISCARDED = 4 * LARGEST_BODY
"""Bytes to read and drop of a larger body: a client that is still sending reads no answer."""

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
        """Return the JSON document: no NaN, no infinity, not too deep, no key twice; 3.0 is 3.

        Raises:
            JSONDecodeError: The body is none.
            ProblemError: It is too deep, or has a number that is too large or a key twice.
        """
        body = await self.body()
        try:
            return strict_document(body)
        except InputError as error:  # FastAPI would call any other error one of parsing
            raise ProblemError(
                422,
                error.problem if error.field == "body" else f"{error.field}: {error.problem}",
                field=error.field,
                type="urn:re2llm:input",
                remedy=error.remedy or None,
            ) from None

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


class StrictRoute(HeadToo):
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
