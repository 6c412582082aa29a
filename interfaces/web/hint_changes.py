"""Approving, retiring, adding and editing hints."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...errors import InputError
from ...operations.hints.manage import add_hint, approve_hints, edit_hint, retire_hints
from ...operations.hints.results import AddedHint
from ...runtime.request_limits import DomainName, RowKey
from ..api.callers import require_right
from .browsers import PREFIX
from .hints import SECTION, HintFilter, HintOrder
from .rendering import see
from .routing import form_of, page_router
from .visits import visit

_Text = Annotated[str, Field(max_length=2_000)]
router = page_router()


class StatusForm(BaseModel):
    """Hints, what was decided on them, and the view of the table in which they were chosen."""

    domain: DomainName
    hints: list[RowKey] = []
    change: Literal["approve", "retire"]
    status: HintFilter = ""
    words: Annotated[str, Field(max_length=500)] = ""
    sort: HintOrder | None = None


class TextForm(BaseModel):
    """A person's words for a hint."""

    domain: DomainName
    text: _Text
    retire: bool = False


@router.post(PREFIX + SECTION + ":change")
async def change_route(request: Request) -> Response:
    """Approve or retire the chosen hints: all, or none."""
    require_right(request, "learn")
    form = form_of(request, StatusForm)
    seen = await visit(request, form.domain)
    if not form.hints:
        raise InputError("hints", "None is chosen.", "Go back and tick some.")
    approve = form.change == "approve"
    change = approve_hints if approve else retire_hints
    word = "approved" if approve else "retired"
    await change(seen.context, form.hints, reason=f"A person {word} it in the console.")
    if len(form.hints) == 1:
        return see(request, f"{SECTION}/{form.hints[0]}", {"domain": form.domain}, done=word)
    view = form.model_dump(include={"domain", "status", "words", "sort"})
    return see(request, SECTION, view, done=word)


@router.post(PREFIX + SECTION + ":add")
async def add_route(request: Request) -> Response:
    """Store a person's hint."""
    require_right(request, "learn")
    form = form_of(request, TextForm)
    seen = await visit(request, form.domain)
    return _shown(request, form.domain, await add_hint(seen.context, form.text), "added")


@router.post(PREFIX + SECTION + "/{hint}/edit")
async def edit_route(request: Request, hint: Annotated[RowKey, Path()]) -> Response:
    """Store a new version of a hint."""
    require_right(request, "learn")
    form = form_of(request, TextForm)
    seen = await visit(request, form.domain)
    made = await edit_hint(seen.context, hint, form.text, retire=form.retire)
    return _shown(request, form.domain, made, "edited")


def _shown(request: Request, domain: str, made: AddedHint, done: str) -> Response:
    if made.outcome == "leak":
        raise InputError("text", made.reason, "Go back and say it without naming an item.")
    if made.outcome == "duplicate":
        done = "known"
    return see(request, f"{SECTION}/{made.hint_id}", {"domain": domain}, done=done)
