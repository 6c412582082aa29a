"""re2llm's tools over MCP and HTTP, for a LangChain agent: `python mcp_http.py [URL [KEY]]`.

It needs `pip install -c constraints.txt langchain-mcp-adapters`.
"""

from __future__ import annotations

import asyncio
import sys

import httpx
from langchain_core.tools import ToolException
from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(url: str, key: str | None = None) -> None:
    """Recommend, and say what was picked."""
    client = MultiServerMCPClient(
        {
            "re2llm": {
                "transport": "streamable_http",
                "url": f"{url}/re2llm/mcp",
                "headers": {"x-api-key": key} if key else {},
            }
        }
    )
    tools = {tool.name: tool for tool in await client.get_tools()}
    message = await tools["recommend"].ainvoke(
        {"name": "recommend", "args": {"history": ["Alien"]}, "id": "1", "type": "tool_call"}
    )
    if message.status == "error":
        raise ToolException(message.text)
    made = message.artifact["structured_content"]
    for item in made["items"][:3]:
        print(f"{item['rank']}. {item['title']} {'; '.join(item['because'])}")
    picked = {"recommendation_id": made["recommendation_id"], "picked": made["items"][0]["id"]}
    await tools["feedback"].ainvoke(picked)


if __name__ == "__main__":
    where = sys.argv[1:] or ["http://127.0.0.1:2024"]
    failed = False
    try:
        asyncio.run(main(*where))
    except* httpx.ConnectError:
        print(f"No server answers at {where[0]}: `langgraph dev` starts one.", file=sys.stderr)
        failed = True
    except* ToolException as errors:
        print(errors.exceptions[0], file=sys.stderr)
        failed = True
    sys.exit(failed)
