"""What the LangGraph server serves besides its own routes; `http.app` of langgraph.json."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import parent_process

from starlette.applications import Starlette

from ..runtime.sharing import close_shared_services
from ..settings import get_settings
from .api.application import build_api
from .api.request_ids import RequestIds
from .auth import refusal_without_key
from .cors import add_cors
from .gate import Gate
from .key_rules import serves_others
from .mcp_server import build_server
from .named_ids import NotesNamedIds


def build_app() -> Starlette:
    """Build the application: our API and MCP server, and the shutdown of our services."""
    mcp = build_server(hosts=get_settings().mcp_hosts).streamable_http_app()
    app = build_api(alone=False)
    app.router.routes.extend(mcp.routes)
    app.add_middleware(NotesNamedIds)
    app.add_middleware(Gate)
    # The server's own would let every website read its answers.
    add_cors(app)
    app.add_middleware(RequestIds)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with mcp.router.lifespan_context(mcp):
            yield
        await close_shared_services()

    app.router.lifespan_context = lifespan
    return app


def end_without_a_key() -> None:
    """End the process with one line if other machines can reach it and there is no API key.

    Raises:
        SystemExit: It is so, or the database cannot say.
    """
    if not serves_others():
        return
    # The server's event loop may run already, and it waits for this module.
    with ThreadPoolExecutor(1) as thread:
        refusal = thread.submit(asyncio.run, refusal_without_key()).result()
    if refusal is None:
        return
    if watcher := parent_process():  # it would wait for a change of the code
        os.kill(watcher.pid or 0, signal.SIGTERM)
    raise SystemExit(f"error: {refusal}")


end_without_a_key()
app = build_app()
