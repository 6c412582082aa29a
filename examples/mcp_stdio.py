"""re2llm's tools over MCP, started by the client itself: `python mcp_stdio.py`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client

COMMAND = str(Path(sys.executable).with_name("re2llm"))


async def main() -> str | None:
    """Look a title up and recommend; return what went wrong, if anything did."""
    server = StdioServerParameters(
        command=COMMAND, args=["mcp", "--domain", "films"], env=dict(os.environ)
    )
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        try:
            await session.initialize()
        except McpError as error:
            return f"{error}; the server says above why. `re2llm demo` loads the domain `films`."
        found = await session.call_tool("find_titles", {"titles": ["blade runer"]})
        if found.isError:
            return found.content[0].text
        item = found.structuredContent["titles"][0]["items"][0]
        made = await session.call_tool("recommend", {"history": [item["id"]], "k": 3})
        print(f"After {item['title']}:")
        for each in made.structuredContent["items"]:
            print(f"{each['rank']}. {each['title']}")
    return None


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
