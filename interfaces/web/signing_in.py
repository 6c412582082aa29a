"""Signing in with an API key, and out."""

from __future__ import annotations

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from ...operations.accounts.console_sessions import SESSION_SECONDS, sign_in, sign_out
from ...operations.accounts.keys import check_key
from ...runtime.context import Context
from ..api.limits import claim
from .addresses import SIGN_IN, own_place
from .browsers import PREFIX, session_of, set_session
from .rendering import page, see, see_place
from .routing import form_of, page_router

router = page_router()


class SignInForm(BaseModel):
    """Who signs in, and where to go then; texts of any length, as a refusal would have no field."""

    key: str = ""
    next: str = PREFIX


@router.get(SIGN_IN)
async def sign_in_page(
    request: Request,
    next: str = PREFIX,  # noqa: A002  # its name in addresses
) -> Response:
    """Ask for an API key."""
    return _asked(request, next)


@router.post(SIGN_IN)
async def sign_in_route(request: Request) -> Response:
    """Open a session for the browser; it counts as a request of the key.

    Its cookie is new, so no one can have known it before.
    """
    form = form_of(request, SignInForm)
    caller = await check_key(Context(), form.key.strip())
    if caller is None:
        return _asked(request, form.next, wrong=True)
    headers = await claim(caller)
    response = see_place(request, form.next)
    response.headers.update(headers)
    set_session(request.scope, response, await sign_in(Context(), caller))
    return response


@router.post(f"{PREFIX}/sign-out")
async def sign_out_route(request: Request) -> Response:
    """End the session."""
    token = session_of(request.scope)
    if token is not None:
        await sign_out(Context(), token)
    return see(request, "/sign-in", done="signed-out")


def _asked(request: Request, place: str, *, wrong: bool = False) -> Response:
    hours = SESSION_SECONDS // 3_600
    return page(
        request,
        "sign_in.html",
        code=401 if wrong else 200,
        next=own_place(place),
        wrong=wrong,
        hours=hours,
    )
