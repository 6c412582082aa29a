"""How two releases differ."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...errors import InputError
from ...operations.releases.diff import compare_releases
from ...operations.releases.manage import list_releases, show_release
from ...runtime.request_limits import DomainName, RowKey
from ..api.callers import require_right
from .browsers import PREFIX
from .releases import SECTION, release_beside
from .routing import form_of, page_router
from .visits import DomainChoice, Visit, visit

router = page_router()


class CompareForm(BaseModel):
    """The release to compare with, and the number of sessions on which both choose."""

    domain: DomainName
    other: RowKey
    sessions: Annotated[int, Field(ge=1, le=200)] = 40


@router.get(PREFIX + SECTION + "/{release}/compare")
async def compare_page(
    request: Request,
    release: Annotated[RowKey, Path()],
    other: Annotated[RowKey | None, Query()] = None,
    domain: DomainChoice = None,
) -> Response:
    """Show what is stored of two releases side by side."""
    seen = await visit(request, domain)
    if other is None:
        await show_release(seen.context, release)  # it is there
        other = release_beside((await list_releases(seen.context)).releases, release)
    if other is None:
        raise InputError("other", "There is no other release.", "`re2llm train` makes one.")
    return await _shown(seen, other, release, sessions=0)


@router.post(PREFIX + SECTION + "/{release}/compare")
async def compare_route(request: Request, release: Annotated[RowKey, Path()]) -> Response:
    """Let both choose for sessions, and estimate both from all feedback that is stored."""
    require_right(request, "learn")
    form = form_of(request, CompareForm)
    seen = await visit(request, form.domain)
    return await _shown(seen, form.other, release, sessions=form.sessions)


async def _shown(seen: Visit, first: int, second: int, *, sessions: int) -> Response:
    asked = sessions > 0
    found = await compare_releases(seen.context, first, second, sessions=sessions, logged=asked)
    known = (await list_releases(seen.context)).releases[::-1]
    return seen.page("compare.html", found=found, known=known, asked=asked, sessions=sessions or 40)
