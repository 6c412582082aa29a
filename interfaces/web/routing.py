"""Routes of pages: each form is checked before it is read, and each error becomes a page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator
from starlette.responses import Response

from ..api.problems import ProblemError
from ..head_too import HeadToo
from .browsers import comes_from_own_page, is_form_token
from .errors import error_page
from .guard import guarded
from .sent_once import answered_once

LARGEST_FORM = 256 * 1024
"""Most bytes of a form."""
_MOST_FIELDS = 2_000
TOKEN = "token"  # noqa: S105  # the name of a field
"""The field of every form that holds the token from `form_token`."""
_MEDIA_TYPE = "application/x-www-form-urlencoded"


def _none_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


BLANK = BeforeValidator(_none_if_blank)
"""Reads an empty form field as `None`."""

_Form = TypeVar("_Form", bound=BaseModel)
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(HeadToo):
    """A route that answers with a page."""

    async def read_form(self, request: Request) -> None:
        """Keep the fields of a form that one of our own pages has sent, for `form_of`.

        Args:
            request: The request with the form.

        Raises:
            ProblemError: It was sent from elsewhere, or it is not a form.
        """
        check_sender(request, _MEDIA_TYPE)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_FORM:
                raise ProblemError(413, f"The form is larger than {LARGEST_FORM:,} bytes.")
        try:
            form = parse_qs(
                body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
            )
        except ValueError as error:
            raise ProblemError(422, "The form cannot be read.") from error
        request.state.form = form  # the page of an error leads back to its domain
        check_token(request, form.get(TOKEN, [""])[-1])

    def get_route_handler(self) -> _Handler:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                if request.method in {"GET", "HEAD"}:
                    return guarded(request.scope, await answer(request))
                await self.read_form(request)
                response = await answered_once(request, partial(answer, request))
                return guarded(request.scope, response)
            except Exception as error:  # noqa: BLE001  # each becomes a page
                return await error_page(error, request.scope)

        return handle


def page_router() -> APIRouter:
    """Return a router of such routes; the OpenAPI document does not hold them."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def form_of(request: Request, kind: type[_Form]) -> _Form:
    """Return the form that a request holds.

    Args:
        request: A request of a `PageRoute`.
        kind: The form; a field that may come several times is a list.

    Raises:
        ValidationError: A field does not fit.
    """
    sent: dict[str, list[Any]] = request.state.form
    values = {
        name: sent[name] if _is_list(field.annotation) else sent[name][-1]
        for name, field in kind.model_fields.items()
        if name in sent
    }
    return kind.model_validate(values)


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is list


def check_sender(request: Request, media_type: str) -> None:
    """Make sure that a form comes from one of our own pages, and is of the right type.

    Args:
        request: The request with the form.
        media_type: The type that it must have.

    Raises:
        ProblemError: It comes from elsewhere, or has another type.
    """
    if not comes_from_own_page(request.scope):
        raise ProblemError(
            403, "Another website has sent this form.", remedy="Use the form on its own page."
        )
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != media_type:
        raise ProblemError(415, "The body is not a form.", remedy=f"Send `{media_type}`.")


def check_token(request: Request, token: str) -> None:
    """Make sure that a form holds the token of the browser that sends it.

    Args:
        request: The request with the form.
        token: The token as it came.

    Raises:
        ProblemError: It is another one.
    """
    if not is_form_token(request.scope, token):
        raise ProblemError(
            403,
            "The form is too old, or another website has sent it.",
            remedy="Go back, load the page again, and send the form again.",
        )
