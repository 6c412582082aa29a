"""Does once what a form asks for, however often its page sends it: people click twice."""

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
"""The field of forms with a value of their page: what comes with it again was sent before."""
ONCE_HEADER = "x-once"
"""What scripts send of the page that they fetch a part for: its forms stay those of the page."""
AGAIN = "again"
"""In the address of the page that answers a form which was sent before."""
_VALUE = re.compile(r"[0-9a-f]{32}")
_PATIENCE = 20.0
_NOTHING = "nothing_done"


class _Led(BaseModel):
    """Where the answer to a form led."""

    location: str


class _NotKeptError(Exception):
    """The answer is not for anybody who sends the form again."""


def once_value(request: Request) -> str:
    """Return the value of a page's forms: that of the page itself where a script fetches a part.

    Args:
        request: The request for the page.
    """
    kept = request.headers.get(ONCE_HEADER, "")
    return kept if _VALUE.fullmatch(kept) else secrets.token_hex(16)


def note_nothing_done(request: Request) -> None:
    """Note that a form has changed nothing, so that it may be sent again.

    Args:
        request: With the form.
    """
    setattr(request.state, _NOTHING, True)


async def answered_once(request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Return the answer to a form, or to the one like it that the same page has sent before.

    Only what was done and leads to another page is kept: a form that was refused may be sent
    again, and one that is answered with a page asks for it anew.

    Args:
        request: With the form.
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
        # A cookie would be lost to whoever sends it again.
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
