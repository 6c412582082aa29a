"""The tools of the MCP server: operations, with their arguments as a client's model sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations
from pydantic import Field

from ..operations.catalogue.titles import find_titles
from ..operations.hints.manage import list_hints
from ..operations.hints.results import ListedHints
from ..operations.rating.rate import rate
from ..operations.rating.results import Rated
from ..operations.recommending.feedback import give_feedback
from ..operations.recommending.recommend import recommend
from ..operations.results import FeedbackStored, FoundTitles, Recommended
from ..rating.request import OtherReview, PastReview, RatedItem, RatingRequest
from ..runtime.context import Context
from ..runtime.request_limits import MOST_ITEMS
from . import descriptions
from .arguments import (
    DEFAULT_COUNT,
    Candidates,
    Count,
    Domain,
    Highest,
    History,
    Lowest,
    NoneAsEmpty,
    Picked,
    RecommendationId,
    Titles,
)

_READS = ToolAnnotations(readOnlyHint=True, idempotentHint=True, openWorldHint=False)
# A recommendation is logged, so that feedback can refer to it.
_LOGS = ToolAnnotations(readOnlyHint=False, destructiveHint=False, openWorldHint=False)
_STORES = ToolAnnotations(
    readOnlyHint=False, destructiveHint=False, idempotentHint=True, openWorldHint=False
)


def add_tools(server: FastMCP, context: Callable[[], Context]) -> None:
    """Add all tools to a server.

    Args:
        context: Returns the options of the request that is being answered.
    """
    tools = _Tools(context)
    for tool, description, kind in (
        (tools.recommend, descriptions.RECOMMEND, _LOGS),
        (tools.feedback, descriptions.FEEDBACK, _STORES),
        (tools.rate, descriptions.RATE, _READS),
        (tools.find_titles, descriptions.TITLES, _READS),
        (tools.list_hints, descriptions.HINTS, _READS),
    ):
        server.add_tool(tool, description=description, annotations=kind)


class _Tools:
    """The tools by their names; the server turns what they raise into answers."""

    def __init__(self, context: Callable[[], Context]) -> None:
        self._context = context

    async def recommend(
        self,
        history: History,
        candidates: Candidates = None,
        k: Count = DEFAULT_COUNT,
        domain: Domain = None,
    ) -> Recommended:
        return await recommend(self._context(), history, candidates=candidates, k=k, domain=domain)

    async def feedback(
        self, recommendation_id: RecommendationId, picked: Picked, domain: Domain = None
    ) -> FeedbackStored:
        return await give_feedback(self._context(), recommendation_id, picked, domain=domain)

    async def rate(
        self,
        item: Annotated[RatedItem, Field(description="What the person is about to rate.")],
        history: Annotated[
            list[PastReview], Field(max_length=MOST_ITEMS, description=descriptions.REVIEWS)
        ],
        item_reviews: Annotated[
            list[OtherReview],
            # First, so that the length is checked before the entries.
            Field(max_length=MOST_ITEMS, description="Other people's reviews of the item."),
            NoneAsEmpty,
        ] = [],  # noqa: B006  # never changed; null would need a schema of its own
        lowest: Lowest = 1,
        highest: Highest = 5,
    ) -> Rated:
        request = RatingRequest(
            item=item, history=history, item_reviews=item_reviews, lowest=lowest, highest=highest
        )
        return await rate(self._context(), request.model_dump())

    async def find_titles(self, titles: Titles, domain: Domain = None) -> FoundTitles:
        return await find_titles(self._context(), titles, domain=domain)

    async def list_hints(self, domain: Domain = None) -> ListedHints:
        return await list_hints(self._context(), domain=domain)
