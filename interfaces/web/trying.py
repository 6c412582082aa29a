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
from .addresses import LONGEST_PLACE, address
from .browsers import PREFIX
from .routing import BLANK, form_of, page_router
from .visits import DomainChoice, Visit, visit

SECTION = "/try"
_MOST = 100
"""Most items of a session, and most candidates: they are in the page's address."""
_FOUND = 12
_USUAL = 10
"""Items to show, unless a person chooses."""
_Count = Annotated[int, Field(ge=1, le=50)]
_Hint = Annotated[RowKey | None, BLANK]
_Ids = Annotated[list[ItemId], Field(max_length=_MOST)]
_Query = dict[str, str | int | list[str] | None]
router = page_router()


class SessionForm(BaseModel):
    """A session, and how to rank it."""

    domain: DomainName
    history: _Ids = []
    candidates: _Ids = []
    k: _Count = _USUAL
    hint: _Hint = None


class FeedbackForm(SessionForm):
    """What a person picked of a ranking; nothing for none of these."""

    recommendation: ItemId
    picked: ItemId = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A session as far as it is built.

    Attributes:
        history: Chosen so far, oldest first.
        candidates: To be ranked; empty to have some retrieved.
        query: Both as parameters of an address, and how to rank them.
    """

    history: list[FoundItem]
    candidates: list[FoundItem]
    query: _Query

    def adding(self, name: str, item: str) -> _Query:
        """Return the parameters of the session with an item more.

        Args:
            name: `history` or `candidates`.
            item: Its id.
        """
        return {**self.query, name: [*self._ids(name), item]}

    def without(self, name: str, place: int) -> _Query:
        """Return the parameters of the session with an item less.

        Args:
            name: `history` or `candidates`.
            place: The item's place.
        """
        ids = self._ids(name)
        return {**self.query, name: [*ids[:place], *ids[place + 1 :]]}

    def _ids(self, name: str) -> list[str]:
        return [item.id for item in (self.history if name == "history" else self.candidates)]


@router.get(PREFIX + SECTION)
async def try_page(
    request: Request,
    domain: DomainChoice = None,
    history: Annotated[_Ids, Query()] = [],  # noqa: B006  # FastAPI copies it
    candidates: Annotated[_Ids, Query()] = [],  # noqa: B006
    words: Annotated[str, Query(max_length=500)] = "",
    k: Annotated[_Count, Query()] = _USUAL,
    hint: Annotated[_Hint, Query()] = None,
) -> Response:
    """Show a session as far as it is built, and what a search has found for it."""
    seen = await visit(request, domain)
    session = SessionForm(
        domain=seen.domain, history=history, candidates=candidates, k=k, hint=hint
    )
    built = await _built(seen, session)
    found = await search_items(seen.context, words, count=_FOUND) if words.strip() else None
    return seen.page("try.html", built=built, found=found, words=words, tried=None)


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
    built = await _built(seen, form)
    shown = tried.hinted.recommended.items
    page = seen.page(
        "try.html",
        built=built,
        found=None,
        words="",
        tried=tried,
        risen=sum(tried.moved.get(item.id, 0) > 0 for item in shown),
    )
    place = address(request.scope, SECTION, built.query)
    if len(place) <= LONGEST_PLACE:
        page.headers["hx-push-url"] = place  # to come back to the session
    return page


@router.post(PREFIX + SECTION + "/feedback")
async def feedback_route(request: Request) -> Response:
    """Store what a person picked."""
    form = form_of(request, FeedbackForm)
    seen = await visit(request, form.domain)
    picked = f"id:{form.picked}" if form.picked else None
    stored = await give_feedback(seen.context, form.recommendation, picked)
    return seen.page("feedback.html", stored=stored, query=_query(seen, form))


async def _built(seen: Visit, form: SessionForm) -> Built:
    ids = [*form.history, *form.candidates]
    known = {item.id: item for item in await items_of_ids(seen.context, ids)}
    chosen, listed = (
        [known[id_] for id_ in ids if id_ in known] for ids in (form.history, form.candidates)
    )
    there = {"history": [item.id for item in chosen], "candidates": [item.id for item in listed]}
    return Built(chosen, listed, _query(seen, form.model_copy(update=there)))


def _query(seen: Visit, form: SessionForm) -> _Query:
    """Return a session, and how to rank it, as parameters of an address; what is usual is not."""
    return {
        "domain": seen.domain,
        "history": form.history,
        "candidates": form.candidates,
        "k": None if form.k == _USUAL else form.k,
        "hint": form.hint,
    }


def _count(tried: Comparison) -> None:
    for ranking in (tried.hinted, tried.plain):
        if ranking is not None:
            count_recommendation(ranking.recommended.llm_calls, ranking.recommended.flags)
