"""Whom a request is for, and the context in which its operation runs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from ...knowledge.access.grants import Right
from ...runtime.caller import Caller
from ...runtime.context import Context
from ...runtime.context_checks import granted
from ..auth import CHECKED
from ..host import default_host


def caller_of(request: Request) -> Caller | None:
    """Return the API key that the gate has checked, or `None` for this machine."""
    return request.scope[CHECKED]


def context_of(request: Request, **options: Any) -> Context:
    """Return the context of a request's operation.

    Args:
        request: The request.
        **options: Options of `Context`, as the client asks for them; those that its key does not
            grant are dropped.

    Raises:
        InputError: An option cannot be used.
    """
    caller = caller_of(request)
    context = default_host().context(**options)
    return granted(context, None if caller is None else caller.as_user())


def require_right(request: Request, right: Right) -> None:
    """Make sure that a request may change what it is about to change.

    Raises:
        NotGrantedError: Its key has not the right.
    """
    caller = caller_of(request)
    if caller is not None:
        caller.require(right)
