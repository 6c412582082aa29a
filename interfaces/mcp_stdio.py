"""The MCP server on standard input and output."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from anyio import AsyncFile, to_thread
from mcp.server.fastmcp import FastMCP
from mcp.server.stdio import stdio_server


class _Lines(AsyncFile[str]):
    """Lines of a file, of which one can stop waiting for the next: a signal is to end the server.

    anyio's own waits until the client writes or leaves.
    """

    async def readline(self) -> str:
        return await to_thread.run_sync(self.wrapped.readline, abandon_on_cancel=True)


async def serve_stdio(server: FastMCP) -> None:
    """Serve one client until it closes standard input."""
    lines = _Lines(TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"))
    inner = server._mcp_server  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as it does itself
    async with stdio_server(stdin=lines) as (received, answers):
        await inner.run(received, answers, inner.create_initialization_options())
