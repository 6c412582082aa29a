"""Every error of the HTTP API as a problem document (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from ...errors import InternalError, LimitReachedError, NotThereError, Re2llmError
from ...runtime.plain_errors import sentence
from ...runtime.request_limits import told_errors
from .request_ids import request_id_of
from .taken_fields import body_of, taken_fields

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds to retry after; a restarting database is back about then."""

_log = logging.getLogger(__name__)
_MOST_ERRORS = 20
_STATUS = {
    "input": 422,
    "not_granted": 403,
    "hints_full": 409,
    "limit": 429,
    "budget": 429,
    "database": 503,
    "busy": 503,
    "model": 503,
    "internal": 500,
}
"""The status for each kind of error."""


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Its place, such as `history.0`.")
    detail: str


class LimitLeft(BaseModel):
    """What is left of a limit of an API key."""

    limit: float
    left: float


class Problem(BaseModel):
    """Why a request has no answer (RFC 9457)."""

    type: str = Field(
        description="`urn:re2llm:` and the kind of error, or `about:blank` if the status says all."
    )
    title: str = Field(description="What the status means.")
    status: int
    detail: str = Field(description="What is wrong with this request.")
    request_id: str = Field(description="As in the header `X-Request-ID` and in the log.")
    field: str | None = Field(default=None, description="The field or setting at fault.")
    errors: list[FieldProblem] | None = Field(
        default=None, description="Every field that does not fit."
    )
    remedy: str | None = Field(default=None, description="What to do about it.")
    limits: dict[str, LimitLeft] | None = Field(
        default=None, description="What is left of the key's limits."
    )


class ProblemError(HTTPException):
    """Ends a request with a problem that is no `Re2llmError`.

    Args:
        status: The response's status.
        detail: What is wrong.
        headers: The response's headers, besides its media type.
        **more: Other fields of `Problem`.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(status, detail, headers)
        self.more = more


def no_such_route(scope: Scope) -> ProblemError:
    """Return what ends a request to a path that is not served."""
    listed = _described_at(scope)
    return ProblemError(404, "There is no such route.", remedy=f"`GET {listed}` lists all.")


def problem_of(error: Exception, scope: Scope, body: Any = None) -> tuple[Problem, dict[str, str]]:
    """Return an error as a problem, with the headers that belong to it.

    An error that is none of ours is logged; nothing of it is in the problem.

    Args:
        error: What ended the request.
        scope: The request's.
        body: The type of what was checked; `None` if it was no body of its own.
    """
    headers: dict[str, str] = {}
    match error:
        case ProblemError():
            headers.update(error.headers or {})
            more = {"type": "about:blank", **error.more}
            problem = _problem(scope, error.status_code, error.detail, **more)
        case Re2llmError():
            status = _status(error, scope)
            if status in {429, 503}:
                headers["retry-after"] = str(_seconds_to_wait(error))
            problem = _problem(
                scope,
                status,
                error.problem,
                type=f"urn:re2llm:{error.kind}",
                field=error.field,
                remedy=error.remedy or None,
            )
        case RequestValidationError():
            # The first part of a place says only how it was sent.
            problem = _invalid(scope, error.errors(), body_of(scope), 1)
        case ValidationError():
            problem = _invalid(scope, error.errors(), body, 0)
        case HTTPException():
            headers.update(error.headers or {})
            detail = str(error.detail or HTTPStatus(error.status_code).description)
            allowed = headers.get("Allow")
            remedy = f"This route takes: {allowed}." if allowed else None
            if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus(404).phrase:
                return problem_of(no_such_route(scope), scope)
            problem = _problem(scope, error.status_code, detail, type="about:blank", remedy=remedy)
        case _:
            _log.error("a request failed", exc_info=error)
            detail = "An unexpected error ended the request. The server's log has its trace."
            kind = f"urn:re2llm:{InternalError.kind}"
            problem = _problem(scope, 500, detail, type=kind)
    return problem, headers


def problem_response(problem: Problem, headers: Mapping[str, str]) -> Response:
    """Return the response to a request that an error has ended.

    Args:
        problem: The problem from `problem_of`.
        headers: The headers from `problem_of`.
    """
    content = orjson.dumps(problem.model_dump(exclude_unset=True))
    return Response(content, problem.status, headers, MEDIA_TYPE)


def _problem(scope: Scope, status: int, detail: str, **more: Any) -> Problem:
    known = {name: value for name, value in more.items() if value is not None}
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request_id_of(scope),
        **known,
    )


def _status(error: Re2llmError, scope: Scope) -> int:
    """Return the status; what the path names and does not exist is not found."""
    status = _STATUS.get(error.kind, 500)
    named = error.field in (scope.get("path_params") or {})
    return 404 if named and isinstance(error, NotThereError) else status


def _seconds_to_wait(error: Re2llmError) -> int:
    known = error.seconds if isinstance(error, LimitReachedError) else None
    return RETRY_AFTER if known is None else max(1, known)


def _invalid(scope: Scope, found: Sequence[Any], body: Any, skipped: int) -> Problem:
    """Name the fields that do not fit, without what was sent in them."""
    if found and found[0]["type"] == "json_invalid":
        detail = f"The body is not JSON: {found[0]['ctx']['error']}."
        return _problem(scope, 400, detail, type="urn:re2llm:input", field="body")
    errors = [
        FieldProblem(
            field=".".join(where) or "body",
            detail=sentence(error, taken_fields(body, error["loc"][skipped:])),
        )
        for where, error in told_errors(found, skipped=skipped)[:_MOST_ERRORS]
    ]
    first = errors[0]
    return _problem(
        scope,
        422,
        f"{first.field}: {first.detail}",
        type="urn:re2llm:input",
        field=first.field,
        errors=errors,
        remedy=f"`GET {_described_at(scope)}` describes the request.",
    )


def _described_at(scope: Scope) -> str:
    return f"{scope.get('root_path', '')}/openapi.json"
