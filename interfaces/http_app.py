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
from starlette.middleware.cors import CORSMiddleware

from ..errors import InputError, Re2llmError
from ..runtime.sharing import close_shared_services
from ..settings import get_settings
from .auth import some_key_works
from .callers import NotesNamedIds, allowed_origins, serves_others
from .gate import Gate
from .mcp_server import build_server


def build_app() -> Starlette:
    """Build the application: our MCP server, and the shutdown of our services with the server."""
    server = build_server(hosts=get_settings().mcp_hosts)
    app = server.streamable_http_app()
    app.add_middleware(NotesNamedIds)
    app.add_middleware(Gate)
    # The server's own would let every website read its answers.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=allowed_origins(),
        allow_origin_regex=r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?",
        allow_methods=["*"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=["content-location", "x-pagination-next", "x-pagination-total"],
    )
    sessions = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(starting: Starlette) -> AsyncGenerator[None]:
        async with sessions(starting):
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
        refusal = thread.submit(asyncio.run, _refusal()).result()
    if refusal is None:
        return
    if watcher := parent_process():  # it would wait for a change of the code
        os.kill(watcher.pid or 0, signal.SIGTERM)
    raise SystemExit(f"error: {refusal}")


async def _refusal() -> Re2llmError | None:
    try:
        if await some_key_works():
            return None
    except Re2llmError as error:
        return error
    finally:
        await close_shared_services()
    return InputError(
        "--host",
        "Other machines can reach this address, but there is no API key.",
        "Make one with `re2llm keys create`, or listen on 127.0.0.1.",
    )


end_without_a_key()
app = build_app()
