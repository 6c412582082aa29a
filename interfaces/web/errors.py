"""Errors as pages, and the way to the sign-in."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from ..api.limits import explained
from ..api.problems import Problem
from .addresses import address, place_of
from .guard import guarded
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
    return problem_page(*await explained(error, scope), scope)


def problem_page(problem: Problem, headers: dict[str, str], scope: Scope) -> Response:
    """Return a problem as a page.

    Args:
        problem: Why a request has no answer.
        headers: That belong to it.
        scope: The request's.
    """
    if problem.status == HTTPStatus.UNAUTHORIZED:
        target = address(scope, "/sign-in", {"next": place_of(scope)})
        # htmx would put the sign-in page into a part of the one that is open.
        return guarded(scope, Response(None, 303, {"location": target, "hx-redirect": target}))
    headers = {name: value for name, value in headers.items() if name != "www-authenticate"}
    html = written(scope, "error.html", problem=problem)
    return guarded(scope, HTMLResponse(html, problem.status, headers))
