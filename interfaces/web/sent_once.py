"""Makes form submissions idempotent: a double click counts once."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..api.callers import context_of
from ..api.idempotency import NotDoneYetError, once_for
from ..api.problems import ProblemError
from ..auth import OPEN

ONCE = "once"
"""Form field with the page's token; the same form with the same token is a repeat."""
ONCE_HEADER = "x-once"
"""Header with the page's token, sent when a script fetches a part of the page."""
AGAIN = "again"
"""Query parameter that marks the answer to a repeated form."""
_VALUE = re.compile(r"[0-9a-f]{32}")
_PATIENCE = 20.0
_NOTHING = "nothing_done"


class _Led(BaseModel):
    """Where the answer to a form led."""

    location: str


class _NotKeptError(Exception):
    """The answer is not kept for repeats of the form."""


def once_value(request: Request) -> str:
    """Return the token for a page's forms: the page's own if a script fetches a part of it.

    Args:
        request: The request for the page.
    """
    kept = request.headers.get(ONCE_HEADER, "")
    return kept if _VALUE.fullmatch(kept) else secrets.token_hex(16)


def note_nothing_done(request: Request) -> None:
    """Note that a form has changed nothing, so that it may be sent again.

    Args:
        request: The request with the form.
    """
    setattr(request.state, _NOTHING, True)


async def answered_once(request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Answer a form once; a repeat from the same page gets the first answer.

    Only redirects are kept: a refused form can be sent again, and a page is rendered again.

    Args:
        request: The request with the form.
        answer: Does what the form asks for.

    Raises:
        ProblemError: The same form was sent before and is not answered yet.
    """
    form: dict[str, list[Any]] = request.state.form
    once = form.get(ONCE, [""])[-1]
    if request.scope.get(OPEN) or not isinstance(once, str) or not _VALUE.fullmatch(once):
        return await answer()
    digest = _digest(request.url.path, form)
    given: list[Response] = []

    async def work() -> _Led:
        response = await answer()
        given.append(response)
        leads = response.status_code == HTTPStatus.SEE_OTHER
        # A repeat would not get the cookie.
        if not leads or "set-cookie" in response.headers or getattr(request.state, _NOTHING, False):
            raise _NotKeptError
        return _Led(location=response.headers["location"])

    key = f"form:{once}:{digest.hex()}"
    try:
        led = await once_for(context_of(request), key, digest, _Led, work, patience=_PATIENCE)
    except _NotKeptError:
        return given[0]
    except NotDoneYetError as error:
        raise ProblemError(
            409,
            "The form was sent before, and what it asks for is not done yet.",
            remedy="Look at the page again in a moment.",
        ) from error
    if given:
        return given[0]
    separator = "&" if "?" in led.location else "?"
    return RedirectResponse(f"{led.location}{separator}{AGAIN}=1", HTTPStatus.SEE_OTHER)


def _digest(path: str, form: dict[str, list[Any]]) -> bytes:
    """Return a digest of a form and of where it is sent."""
    parts = [path.encode()]
    for name, values in form.items():
        for value in values:
            # A file has a name and a content.
            parts += [name.encode(), *(value.values() if isinstance(value, dict) else [value])]
    whole = hashlib.sha256()  # with lengths, so that no two parts run together
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        whole.update(len(encoded).to_bytes(8, "big"))
        whole.update(encoded)
    return whole.digest()
