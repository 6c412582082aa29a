"""Errors as pages, and the way to the sign-in."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from ..api.limits import explained
from ..api.problems import Problem
from .addresses import address, page_before, place_of
from .guard import guarded
from .labels import in_labels
from .rendering import written

_TITLES: dict[int, str] = {
    HTTPStatus.METHOD_NOT_ALLOWED: "Not a page",
    HTTPStatus.UNPROCESSABLE_ENTITY: "This cannot be done",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now",
}
"""What pages say for phrases of HTTP that tell people nothing."""
_LONGEST_NAME = 500
"""Most characters of a domain's name."""


_NO_PAGE: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Nothing can be sent to this address.",
}
_OF_A_FORM = "A form is sent to this address; it shows nothing by itself."


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
    problem.title = _TITLES.get(problem.status, problem.title)
    if isinstance(error, HTTPException) and problem.status in _NO_PAGE:
        problem.detail, problem.remedy = _NO_PAGE[problem.status], "Choose a section above."
        if problem.status == HTTPStatus.METHOD_NOT_ALLOWED and scope["method"] in {"GET", "HEAD"}:
            problem.detail = _OF_A_FORM
    if isinstance(error, RequestValidationError | ValidationError):
        problem.remedy = "Change it." if _is_script(scope) else "Go back and change it."
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
        status, header = (401, "hx-redirect") if _is_script(scope) else (303, "location")
        return guarded(scope, Response(None, status, {header: target}))
    headers = {name: value for name, value in headers.items() if name != "www-authenticate"}
    # A domain that is itself what is wrong would lead to the same error again.
    domain = None if problem.field == "domain" else _domain_of(scope)
    html = written(scope, "error.html", problem=problem, domain=domain)
    return guarded(scope, HTMLResponse(html, problem.status, headers))


def _is_script(scope: Scope) -> bool:
    return "hx-request" in Headers(scope=scope)


def _domain_of(scope: Scope) -> str | None:
    """Return which domain a request is about, as it says itself, or the page that sends it."""
    request = Request(scope)
    form: dict[str, list[Any]] = getattr(request.state, "form", {})
    before = parse_qs(urlsplit(page_before(scope)).query)
    named = form.get("domain") or request.query_params.getlist("domain") or before.get("domain")
    domain = named[-1] if named else ""
    return domain if isinstance(domain, str) and 0 < len(domain) <= _LONGEST_NAME else None
