"""Our operations as an MCP server, with structured answers (modelcontextprotocol.io, tools)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any, cast

from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ContentBlock, TextContent, ToolAnnotations
from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.routing import Route

from ..errors import Re2llmError
from ..llm.prompt_data import inert, inert_json
from ..operations.catalogue.titles import find_titles as find_items
from ..operations.hints.manage import list_hints as list_domain_hints
from ..operations.hints.results import ListedHints
from ..operations.rating.rate import rate as predict_rating
from ..operations.rating.results import Rated
from ..operations.recommending.feedback import give_feedback
from ..operations.recommending.recommend import recommend as recommend_items
from ..operations.results import FeedbackStored, FoundTitles, Recommended
from ..rating.request import OtherReview, PastReview, RatedItem, RatingRequest
from ..runtime.context import Context
from ..runtime.context_checks import granted
from ..runtime.request_limits import MOST_ITEMS, input_error
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
from .host import Re2llm, default_host
from .mcp_requests import StrictMessages, reduce_log

HTTP_PATH = "/re2llm/mcp"
"""Where the server is mounted; LangGraph's own, of whole graphs, is at `/mcp`."""

_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_READS = ToolAnnotations(readOnlyHint=True, idempotentHint=True, openWorldHint=False)
# A recommendation is logged, so that feedback can refer to it.
_LOGS = ToolAnnotations(readOnlyHint=False, destructiveHint=False, openWorldHint=False)
_STORES = ToolAnnotations(
    readOnlyHint=False, destructiveHint=False, idempotentHint=True, openWorldHint=False
)


class _Server(FastMCP):
    """Answers with text that ends no message in a chat template of the client's model."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any]
    ) -> Sequence[ContentBlock] | dict[str, Any]:
        try:
            answer: Any = await super().call_tool(name, arguments)
        except ToolError as error:  # of arguments too, which it quotes
            cause = error.__cause__
            said = str(input_error(cause)) if isinstance(cause, ValidationError) else str(error)
            raise ToolError(inert(said)) from error
        # What it returns for a tool with an output schema is not what it declares.
        blocks, structured = cast("tuple[list[ContentBlock], dict[str, Any]]", answer)
        for block in blocks:
            if isinstance(block, TextContent):
                block.text = inert_json(block.text)
        return cast("dict[str, Any]", (blocks, structured))

    def streamable_http_app(self) -> Starlette:
        app = super().streamable_http_app()
        app.router.routes[:] = [
            Route(route.path, StrictMessages(route.endpoint))
            for route in app.router.routes
            if isinstance(route, Route)
        ]
        return app


def build_server(host: Re2llm | None = None, *, hosts: str = "", path: str = HTTP_PATH) -> FastMCP:
    """Build the server. Nothing is opened before the first call.

    Args:
        host: Its database and models are used; `None` takes those of the settings.
        hosts: As in the setting `mcp_hosts`.
        path: Where it is mounted over HTTP.
    """
    reduce_log()
    ours = host or default_host()
    server = _Server(
        "re2llm",
        instructions=(
            "Recommends items of a catalogue. Call `recommend` with what a person chose or liked, "
            "and `feedback` with what they picked of the answer."
        ),
        log_level="WARNING",
        streamable_http_path=path,
        json_response=True,
        # Any replica can answer any call.
        stateless_http=True,
        transport_security=_security(hosts),
    )
    # Without one, a client is told the version of the package `mcp`.
    server._mcp_server.version = version("re2llm")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def context() -> Context:
        # Over HTTP there is a request, and with an API key it says what was granted.
        request = server.get_context().request_context.request
        return granted(ours.context(), None if request is None else request.scope.get("user"))

    @server.tool(description=descriptions.RECOMMEND, annotations=_LOGS)
    async def recommend(
        history: History,
        candidates: Candidates = None,
        k: Count = DEFAULT_COUNT,
        domain: Domain = None,
    ) -> Recommended:
        with _our_errors():
            return await recommend_items(
                context(), history, candidates=candidates, k=k, domain=domain
            )

    @server.tool(description=descriptions.FEEDBACK, annotations=_STORES)
    async def feedback(
        recommendation_id: RecommendationId, picked: Picked = None, domain: Domain = None
    ) -> FeedbackStored:
        with _our_errors():
            return await give_feedback(context(), recommendation_id, picked, domain=domain)

    @server.tool(description=descriptions.RATE, annotations=_READS)
    async def rate(
        item: Annotated[RatedItem, Field(description="What the person is about to rate.")],
        history: Annotated[
            list[PastReview], Field(max_length=MOST_ITEMS, description=descriptions.REVIEWS)
        ],
        item_reviews: Annotated[
            list[OtherReview],
            NoneAsEmpty,
            Field(max_length=MOST_ITEMS, description="Other people's reviews of the item."),
        ] = [],  # noqa: B006  # never changed; null would need a schema of its own
        lowest: Lowest = 1,
        highest: Highest = 5,
    ) -> Rated:
        with _our_errors():
            request = RatingRequest(
                item=item,
                history=history,
                item_reviews=item_reviews,
                lowest=lowest,
                highest=highest,
            )
            return await predict_rating(context(), request.model_dump())

    @server.tool(description=descriptions.TITLES, annotations=_READS)
    async def find_titles(titles: Titles, domain: Domain = None) -> FoundTitles:
        with _our_errors():
            return await find_items(context(), titles, domain=domain)

    @server.tool(description=descriptions.HINTS, annotations=_READS)
    async def list_hints(domain: Domain = None) -> ListedHints:
        with _our_errors():
            return await list_domain_hints(context(), domain=domain)

    # They are registered by their decorators.
    del recommend, feedback, rate, find_titles, list_hints
    return server


@contextmanager
def _our_errors() -> Generator[None]:
    """Turn our errors into answers that say what is wrong and what to do about it."""
    try:
        yield
    except Re2llmError as error:
        raise ToolError(str(error)) from error


def _security(hosts: str) -> TransportSecuritySettings:
    """Refuse requests that a page in a browser sends under a host name of its own."""
    named = [name.strip() for name in hosts.split(",") if name.strip()]
    allowed = [form for name in (*_LOCAL, *named) for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in allowed]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=allowed, allowed_origins=origins
    )
