"""The API's routes, and the application of `re2llm serve`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ...errors import Re2llmError
from ...operations.graphs import rate_graph, recommend_graph
from ...runtime.ledger import observe_calls
from ...runtime.sharing import close_shared_services, shared_services
from ...settings import get_settings
from ..cors import add_cors
from ..gate import Gate
from ..web.addresses import is_page
from ..web.application import page_routes
from ..web.errors import error_page
from . import (
    autopilot,
    entrance,
    feedback,
    health,
    hints,
    items,
    jobs,
    observed,
    ratings,
    recommend,
    releases,
)
from .draining import draining
from .metrics import count_call
from .options import ServeOptions
from .problems import Problem, problem_of, problem_response
from .request_ids import RequestIds
from .tracing import telemetry

PREFIX = "/v1"
_ROUTERS = (recommend, feedback, ratings, items, hints, releases, autopilot, jobs, health)
_DESCRIPTION = """Recommends items of a catalogue with any chat model.

Errors are problem documents (RFC 9457). From another machine, send an API key as
`Authorization: Bearer …`."""

_log = logging.getLogger(__name__)


def build_api(*, alone: bool) -> FastAPI:
    """Return an application with the API's routes and nothing around them.

    Args:
        alone: Whether it serves no other routes, so that every error is answered as a problem.
    """
    app = FastAPI(
        title="re2llm",
        version=version("re2llm"),
        description=_DESCRIPTION,
        openapi_url="/openapi.json" if alone else None,
        docs_url=None,  # it would load scripts from another server
        redoc_url=None,
        redirect_slashes=False,
        telemetry=telemetry() if alone else None,
    )
    for module in _ROUTERS:
        # As they are: the LangGraph server wraps each route by itself.
        app.router.routes.extend(module.router.routes)
    app.router.routes.extend(page_routes())

    async def on_error(request: Request, error: Exception) -> Response:
        if is_page(request.scope):
            return await error_page(error, request.scope)
        if alone or request.url.path.startswith(PREFIX):
            return problem_response(*problem_of(error, request.scope))
        detail = error.detail if isinstance(error, HTTPException) else "Internal Server Error"
        headers = error.headers if isinstance(error, HTTPException) else None
        status = error.status_code if isinstance(error, HTTPException) else 500
        return JSONResponse({"detail": detail}, status, headers)

    app.add_exception_handler(HTTPException, on_error)
    if alone:
        app.add_exception_handler(Exception, on_error)
    _describe(app)
    return app


def create_app(options: ServeOptions | None = None) -> FastAPI:
    """Return the application of `re2llm serve`.

    Args:
        options: How the server runs.
    """
    options = options or ServeOptions()
    observe_calls(count_call)
    app = build_api(alone=True)
    app.router.routes.extend([*entrance.router.routes, *observed.router.routes])
    mcp = _mount_mcp(app)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            if mcp is not None:
                await stack.enter_async_context(mcp.router.lifespan_context(mcp))
            stack.push_async_callback(close_shared_services)
            await _open()
            stack.enter_context(draining(app, options.drain_delay))
            yield

    app.router.lifespan_context = lifespan
    # The last one added is the first to see a request.
    app.add_middleware(Gate, alone=True, public=options.public)
    add_cors(app)
    app.add_middleware(observed.Observed)
    app.add_middleware(RequestIds)
    return app


async def _open() -> None:
    """Load and open what requests need. A server without its database is up, but not ready."""
    await asyncio.to_thread(lambda: (recommend_graph(), rate_graph()))
    try:
        await shared_services()
    except Re2llmError as error:
        _log.warning("not ready: %s", error)


def _mount_mcp(app: FastAPI) -> Starlette | None:
    """Add the MCP server's route, if its package is installed."""
    try:
        from ..mcp_server import build_server  # noqa: PLC0415  # of an extra
    except ModuleNotFoundError:
        return None
    server = build_server(hosts=get_settings().mcp_hosts, path="/mcp")
    mcp = server.streamable_http_app()
    app.router.routes.extend(mcp.routes)
    return mcp


def _describe(app: FastAPI) -> None:
    """Have the OpenAPI document define the problems that all routes refer to."""
    described = app.openapi

    def openapi() -> dict[str, object]:
        document = described()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if Problem.__name__ not in schemas:
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas[Problem.__name__] = schema
        return document

    app.openapi = openapi
