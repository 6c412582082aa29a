"""The MCP server on standard input and output."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper

from anyio import AsyncFile, to_thread
from mcp.server.fastmcp import FastMCP
from mcp.server.stdio import stdio_server

from ..records import without_surrogates


class _Lines(AsyncFile[str]):
    """Lines of a file, of which one can stop waiting for the next: a signal is to end the server.

    anyio's own waits until the client writes or leaves.
    """

    async def readline(self) -> str:
        return await to_thread.run_sync(self._line, abandon_on_cancel=True)

    def _line(self) -> str:
        """Return the next line, with U+FFFD for half a character, which `mcp` never answers."""
        line: str = self.wrapped.readline()
        if "\\ud" not in line.lower():
            return line
        try:
            return without_surrogates(json.dumps(json.loads(line), ensure_ascii=False))
        except (ValueError, RecursionError):  # no JSON: `mcp` says what becomes of it
            return line


async def serve_stdio(server: FastMCP) -> None:
    """Serve one client until it closes standard input."""
    lines = _Lines(TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"))
    inner = server._mcp_server  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as it does itself
    async with stdio_server(stdin=lines) as (received, answers):
        await inner.run(received, answers, inner.create_initialization_options())
