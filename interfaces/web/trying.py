"""Building a session by clicking, and ranking it with the hint and without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...errors import InputError
from ...operations.catalogue.items import items_of_ids, search_items
from ...operations.recommending.feedback import give_feedback
from ...operations.recommending.try_session import Comparison, try_session
from ...operations.results import FoundItem
from ...runtime.request_limits import DomainName, ItemId, RowKey
from ..api.callers import require_right
from ..api.metrics import count_recommendation
from .browsers import PREFIX
from .routing import BLANK, form_of, page_router
from .visits import DomainChoice, Visit, visit

SECTION = "/try"
_MOST = 100
"""Items of a session, and candidates: they are in the page's address."""
_FOUND = 12
_Ids = Annotated[list[ItemId], Field(max_length=_MOST)]
router = page_router()


class SessionForm(BaseModel):
    """A session, and how to rank it."""

    domain: DomainName
    history: _Ids = []
    candidates: _Ids = []
    k: Annotated[int, Field(ge=1, le=50)] = 10
    hint: Annotated[RowKey | None, BLANK] = None


class FeedbackForm(BaseModel):
    """What a person picked of a ranking; nothing for none of these."""

    domain: DomainName
    recommendation: ItemId
    picked: ItemId = ""
    history: _Ids = []
    candidates: _Ids = []


@dataclass(frozen=True, slots=True)
class Built:
    """A session as far as it is built.

    Attributes:
        history: Chosen so far, oldest first.
        candidates: To be ranked; empty to have some retrieved.
        query: Both as parameters of an address.
    """

    history: list[FoundItem]
    candidates: list[FoundItem]
    query: dict[str, str | list[str]]

    def adding(self, name: str, item: str) -> dict[str, str | list[str]]:
        """Return the parameters of the session with an item more.

        Args:
            name: `history` or `candidates`.
            item: Its id.
        """
        return {**self.query, name: [*self.query[name], item]}

    def without(self, name: str, place: int) -> dict[str, str | list[str]]:
        """Return the parameters of the session with an item less.

        Args:
            name: `history` or `candidates`.
            place: The item's place.
        """
        ids = list(self.query[name])
        return {**self.query, name: [*ids[:place], *ids[place + 1 :]]}


@router.get(PREFIX + SECTION)
async def try_page(
    request: Request,
    domain: DomainChoice = None,
    history: Annotated[_Ids, Query()] = [],  # noqa: B006  # FastAPI copies it
    candidates: Annotated[_Ids, Query()] = [],  # noqa: B006
    words: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Show a session as far as it is built, and what a search has found for it."""
    seen = await visit(request, domain)
    built = await _built(seen, history, candidates)
    found = await search_items(seen.context, words, count=_FOUND) if words.strip() else None
    return seen.page("try.html", built=built, found=found, words=words, k=10, hint=None, tried=None)


@router.post(PREFIX + SECTION)
async def rank_route(request: Request) -> Response:
    """Rank a session with the hint and without."""
    form = form_of(request, SessionForm)
    seen = await visit(request, form.domain)
    if not form.history:
        raise InputError("history", "The session is empty.", "Go back and add an item.")
    if form.hint is not None:
        require_right(request, "learn")
    tried = await try_session(
        seen.context,
        form.history,
        candidates=form.candidates or None,
        k=form.k,
        hint=form.hint,
    )
    _count(tried)
    built = await _built(seen, form.history, form.candidates)
    shown = tried.hinted.recommended.items
    return seen.page(
        "try.html",
        built=built,
        found=None,
        words="",
        k=form.k,
        hint=form.hint,
        tried=tried,
        risen=sum(tried.moved.get(item.id, 0) > 0 for item in shown),
    )


@router.post(PREFIX + SECTION + "/feedback")
async def feedback_route(request: Request) -> Response:
    """Store what a person picked."""
    form = form_of(request, FeedbackForm)
    seen = await visit(request, form.domain)
    picked = f"id:{form.picked}" if form.picked else None
    stored = await give_feedback(seen.context, form.recommendation, picked)
    query = {"domain": seen.domain, "history": form.history, "candidates": form.candidates}
    return seen.page("feedback.html", stored=stored, query=query)


async def _built(seen: Visit, history: list[str], candidates: list[str]) -> Built:
    known = {item.id: item for item in await items_of_ids(seen.context, [*history, *candidates])}
    chosen, listed = ([known[id_] for id_ in ids if id_ in known] for ids in (history, candidates))
    query: dict[str, str | list[str]] = {
        "domain": seen.domain,
        "history": [item.id for item in chosen],
        "candidates": [item.id for item in listed],
    }
    return Built(chosen, listed, query)


def _count(tried: Comparison) -> None:
    for ranking in (tried.hinted, tried.plain):
        if ranking is not None:
            count_recommendation(ranking.recommended.llm_calls, ranking.recommended.flags)
