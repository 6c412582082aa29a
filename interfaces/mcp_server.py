"""Our operations as an MCP server, with structured answers (modelcontextprotocol.io, tools)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import Field

from ..errors import Re2llmError
from ..nodes.rating.state import OtherReview, PastReview, RatedItem, RatingRequest
from ..operations import catalogue as operations
from ..operations.catalogue import picked_or_none
from ..operations.results import FeedbackStored, FoundTitles, ListedHints, Rated, Recommended
from ..runtime.options import Context, granted
from ..runtime.request_limits import MOST_ITEMS, DomainName, ItemId, Rating, Title, Titles
from . import descriptions
from .host import Re2llm, default_host

HTTP_PATH = "/re2llm/mcp"
"""Where the server is mounted; LangGraph's own, of whole graphs, is at `/mcp`."""

_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_READS = ToolAnnotations(readOnlyHint=True, idempotentHint=True, openWorldHint=False)
# A recommendation is logged, so that feedback can refer to it.
_LOGS = ToolAnnotations(readOnlyHint=False, destructiveHint=False, openWorldHint=False)
_STORES = ToolAnnotations(
    readOnlyHint=False, destructiveHint=False, idempotentHint=True, openWorldHint=False
)
_Domain = Annotated[DomainName | None, Field(description=descriptions.DOMAIN)]


def build_server(host: Re2llm | None = None, *, hosts: str = "") -> FastMCP:
    """Build the server. It opens nothing before the first call.

    Args:
        host: Whose database and models to use; `None` takes those of the settings.
        hosts: As the setting `mcp_hosts`.
    """
    ours = host or default_host()
    server = FastMCP(
        "re2llm",
        instructions=(
            "Recommends items of a catalogue. Call `recommend` with what a person chose or liked, "
            "and `feedback` with what they picked of the answer."
        ),
        log_level="WARNING",
        streamable_http_path=HTTP_PATH,
        json_response=True,
        # Any replica can answer any call.
        stateless_http=True,
        transport_security=_security(hosts),
    )

    def context() -> Context:
        # Over HTTP there is a request, and with an API key it says what was granted.
        request = server.get_context().request_context.request
        return granted(ours.context(), None if request is None else request.scope.get("user"))

    @server.tool(description=descriptions.RECOMMEND, annotations=_LOGS)
    async def recommend(
        history: Annotated[Titles, Field(min_length=1, description=descriptions.HISTORY)],
        candidates: Annotated[Titles | None, Field(description=descriptions.CANDIDATES)] = None,
        k: Annotated[int, Field(ge=1, le=100, description=descriptions.COUNT)] = 10,
        domain: _Domain = None,
    ) -> Recommended:
        with _told():
            return await operations.recommend(
                context(), history, candidates=candidates, k=k, domain=domain
            )

    @server.tool(description=descriptions.FEEDBACK, annotations=_STORES)
    async def feedback(
        recommendation_id: Annotated[ItemId, Field(description=descriptions.RECOMMENDATION)],
        picked: Annotated[Title | None, Field(description=descriptions.PICKED)] = None,
        domain: _Domain = None,
    ) -> FeedbackStored:
        with _told():
            return await operations.give_feedback(
                context(), recommendation_id, picked_or_none(picked), domain=domain
            )

    @server.tool(description=descriptions.RATE, annotations=_READS)
    async def rate(
        item: Annotated[RatedItem, Field(description="What the person is about to rate.")],
        history: Annotated[
            list[PastReview], Field(max_length=MOST_ITEMS, description=descriptions.REVIEWS)
        ],
        item_reviews: Annotated[
            list[OtherReview],
            Field(max_length=MOST_ITEMS, description="Other people's reviews of the item."),
        ] = [],  # noqa: B006  # never changed; null would need a schema of its own
        lowest: Annotated[Rating, Field(description="The worst rating of the scale.")] = 1,
        highest: Annotated[Rating, Field(description="The best rating of the scale.")] = 5,
    ) -> Rated:
        with _told():
            request = RatingRequest(
                item=item,
                history=history,
                item_reviews=item_reviews,
                lowest=lowest,
                highest=highest,
            )
            return await operations.rate(context(), request.model_dump())

    @server.tool(description=descriptions.TITLES, annotations=_READS)
    async def find_titles(
        titles: Annotated[Titles, Field(min_length=1, description=descriptions.TYPED)],
        domain: _Domain = None,
    ) -> FoundTitles:
        with _told():
            return await operations.find_titles(context(), titles, domain=domain)

    @server.tool(description=descriptions.HINTS, annotations=_READS)
    async def list_hints(domain: _Domain = None) -> ListedHints:
        with _told():
            return await operations.hints_of(context(), domain=domain)

    # They are registered by their decorators.
    del recommend, feedback, rate, find_titles, list_hints
    return server


@contextmanager
def _told() -> Generator[None]:
    """Turn our errors into answers that say what is wrong and what to do about it."""
    try:
        yield
    except Re2llmError as error:
        raise ToolError(str(error)) from error


def _security(hosts: str) -> TransportSecuritySettings:
    """Refuse requests that a page in somebody's browser sends under a name of its own."""
    named = [name.strip() for name in hosts.split(",") if name.strip()]
    allowed = [form for name in (*_LOCAL, *named) for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in allowed]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=allowed, allowed_origins=origins
    )
