"""What the OpenAPI document says of every route: its problems, with examples."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from .problems import MEDIA_TYPE, Problem

_PROBLEM = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
_ID = "5f0c1b9e7d6a4c1e8b2f3a4d5c6b7a80"
_EXAMPLES: dict[int, dict[str, Any]] = {
    400: {"type": "urn:re2llm:input", "detail": "The body is not JSON: unexpected character."},
    401: {"type": "about:blank", "detail": "Send an API key that works."},
    403: {
        "type": "urn:re2llm:not_granted",
        "detail": "This key may not learn.",
        "field": "key",
        "remedy": "`re2llm keys create OWNER --domain DOMAIN --may learn` makes one.",
    },
    404: {"type": "about:blank", "detail": "There is no such route."},
    405: {
        "type": "about:blank",
        "detail": "Method Not Allowed",
        "remedy": "This route takes: POST.",
    },
    409: {"type": "about:blank", "detail": "A request with this key is not done yet."},
    413: {"type": "about:blank", "detail": "The body is larger than 4,194,304 bytes."},
    415: {"type": "about:blank", "detail": "The body's media type is not JSON."},
    422: {
        "type": "urn:re2llm:input",
        "detail": "There is no domain 'film'. Did you mean 'films'? There are: films.",
        "field": "domain",
        "remedy": "Load one with `re2llm load`; `re2llm demo` loads sample films as `films`.",
    },
    429: {
        "type": "urn:re2llm:limit",
        "detail": "This key may make 60 requests a minute.",
        "field": "requests_per_minute",
        "remedy": "Try again in 12 s.",
        "limits": {"requests_per_minute": {"limit": 60, "left": 0}},
    },
    500: {"type": "urn:re2llm:internal", "detail": "An unexpected error ended the request."},
    503: {
        "type": "urn:re2llm:database",
        "detail": "No answer from postgresql://database:5432/shop (connection refused).",
        "field": "RE2LLM_DATABASE_URL",
        "remedy": "Is the server up, and are user, password and database right?",
    },
}
_ALWAYS = (401, 404, 405, 422, 429, 500, 503)
_WITH_BODY = (400, 413, 415)


def problems(*more: int, body: bool = True) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route.

    Args:
        *more: Statuses besides those that every route may answer.
        body: Whether it takes one.
    """
    statuses = sorted({*_ALWAYS, *(_WITH_BODY if body else ()), *more})
    return {status: _response(status) for status in statuses}


def _response(status: int) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    example = {"title": title, "status": status, "request_id": _ID, **_EXAMPLES[status]}
    return {"description": title, "content": {MEDIA_TYPE: {**_PROBLEM, "example": example}}}
