"""What the LangGraph server serves besides its own routes; `http.app` of langgraph.json."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from ..nodes.services import close_shared_services
from ..settings import get_settings
from .mcp_server import build_server


def build_app() -> Starlette:
    """Build the application: our MCP server, and the end of our services with the server's."""
    server = build_server(hosts=get_settings().mcp_hosts)
    app = server.streamable_http_app()
    sessions = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(starting: Starlette) -> AsyncGenerator[None]:
        async with sessions(starting):
            yield
        await close_shared_services()

    app.router.lifespan_context = lifespan
    return app


app = build_app()
