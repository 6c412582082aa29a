"""The hints of a domain: a table, and a page for each."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query, Request
from starlette.responses import Response

from ...operations.hints.pages import HintOnPage, HintSort, hint_page, whole_hint
from ...runtime.request_limits import RowKey
from ..api.requests import HintStatus
from .browsers import PREFIX
from .paging import PAGE_SIZE, PageNumber, Paging, skipped
from .pictures import GainPicture, gain_picture, largest
from .routing import page_router
from .visits import DomainChoice, visit

SECTION = "/hints"
_TRIALS = 20
HintFilter = HintStatus | Literal[""]
"""The status of the hints that are shown; empty for all."""
HintOrder = Literal["age", "-age", "gain", "-gain", "uses", "-uses", "trials", "-trials"]
router = page_router()


@router.get(PREFIX + SECTION)
async def hints_page(
    request: Request,
    domain: DomainChoice = None,
    status: Annotated[HintFilter, Query()] = "",
    words: Annotated[str, Query(max_length=500)] = "",
    sort: Annotated[HintOrder, Query()] = "age",
    number: Annotated[PageNumber, Query(alias="page")] = 1,
) -> Response:
    """Show a page of the hints."""
    seen = await visit(request, domain)
    column: HintSort = sort.lstrip("-")  # pyright: ignore[reportAssignmentType]  # one of them
    found = await hint_page(
        seen.context,
        status=status or None,
        words=words.strip(),
        sort=column,
        descending=sort.startswith("-"),
        skip=skipped(number),
        count=PAGE_SIZE,
    )
    return seen.page(
        "hints.html",
        found=found,
        status=status,
        words=words,
        sort=sort,
        query={"domain": seen.domain, "status": status, "words": words, "sort": sort},
        paging=Paging(number, found.total),
        pictures=_pictures(found.hints),
    )


@router.get(PREFIX + SECTION + "/{hint}")
async def one_hint_page(
    request: Request,
    hint: Annotated[RowKey, Path()],
    domain: DomainChoice = None,
    number: Annotated[PageNumber, Query(alias="page")] = 1,
) -> Response:
    """Show a hint with its lineage."""
    seen = await visit(request, domain)
    whole = await whole_hint(seen.context, hint, skip=skipped(number, _TRIALS), count=_TRIALS)
    shown = whole.measured.hint
    return seen.page(
        "hint.html",
        hint=shown,
        measured=whole.measured,
        story=whole.story,
        trials=whole.trials,
        paging=Paging(number, whole.total, _TRIALS),
        picture=_pictures([shown])[hint],
    )


def _pictures(hints: list[HintOnPage]) -> dict[int, GainPicture | None]:
    most = largest([(hint.mean_gain, hint.gain_error) for hint in hints])
    return {
        hint.id: gain_picture(hint.mean_gain, hint.gain_error, hint.trials, most) for hint in hints
    }
