"""Errors as pages, and the way to the sign-in."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from ..api.limits import explained
from ..api.problems import Problem
from .addresses import address, place_of
from .guard import guarded
from .labels import in_labels
from .rendering import written


class NothingLoadedError(Exception):
    """There is no catalogue that a page could show."""


async def error_page(error: Exception, scope: Scope) -> Response:
    """Return the page that says why a request has no answer, or sends the person to sign in.

    Args:
        error: What ended the request.
        scope: The request's.
    """
    if isinstance(error, NothingLoadedError):
        return guarded(scope, HTMLResponse(written(scope, "nothing_loaded.html")))
    problem, headers = await explained(error, scope)
    problem.detail = in_labels(problem.detail)
    problem.remedy = in_labels(problem.remedy or "")
    if isinstance(error, RequestValidationError | ValidationError):
        problem.remedy = "Go back and change it."
    return problem_page(problem, headers, scope)


def problem_page(problem: Problem, headers: dict[str, str], scope: Scope) -> Response:
    """Return a problem as a page.

    Args:
        problem: Why a request has no answer.
        headers: The headers that belong to it.
        scope: The request's.
    """
    if problem.status == HTTPStatus.UNAUTHORIZED:
        target = address(scope, "/sign-in", {"next": place_of(scope)})
        # A script's request follows a 303 by itself, and then has no header for htmx.
        by_script = "hx-request" in Headers(scope=scope)
        status, header = (401, "hx-redirect") if by_script else (303, "location")
        return guarded(scope, Response(None, status, {header: target}))
    headers = {name: value for name, value in headers.items() if name != "www-authenticate"}
    html = written(scope, "error.html", problem=problem)
    return guarded(scope, HTMLResponse(html, problem.status, headers))
