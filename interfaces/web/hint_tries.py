"""Trying a hint on a number of sessions, as a job that its page shows live."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...runtime.request_limits import DomainName, RowKey
from ..api.jobs import jobs_module, require_start
from .browsers import PREFIX
from .hints import SECTION
from .jobs import SECTION as JOBS
from .jobs import Calls, Money
from .rendering import see
from .routing import form_of, page_router
from .visits import visit

router = page_router()


class TryForm(BaseModel):
    """The number of sessions to try a hint on, and what that may cost."""

    domain: DomainName
    sessions: Annotated[int, Field(ge=2, le=1_000)] = 40
    max_llm_calls: Calls = None
    max_cost: Money = None


class TryTextForm(TryForm):
    """A text that is not stored."""

    text: Annotated[str, Field(max_length=2_000)]


@router.post(PREFIX + SECTION + ":try")
async def try_text_route(request: Request) -> Response:
    """Try a new text."""
    require_start(request)
    form = form_of(request, TryTextForm)
    return await _submitted(request, form, {"text": form.text})


@router.post(PREFIX + SECTION + "/{hint}/try")
async def try_hint_route(request: Request, hint: Annotated[RowKey, Path()]) -> Response:
    """Try a stored hint."""
    require_start(request)
    return await _submitted(request, form_of(request, TryForm), {"hint": hint})


async def _submitted(request: Request, form: TryForm, what: dict[str, Any]) -> Response:
    seen = await visit(request, form.domain)
    submit = await jobs_module("queue.submit")
    made = await submit.submit(
        seen.context,
        "try",
        {**what, "count": form.sessions},
        max_llm_calls=form.max_llm_calls,
        max_cost=form.max_cost,
    )
    return see(request, f"{JOBS}/{made.id}", {"domain": seen.domain}, done="submitted")
