"""re2llm's assistant as an agent of another agent, over A2A: `python a2a_client.py [URL [KEY]]`.

It needs `pip install -c constraints.txt a2a-sdk`.
"""

from __future__ import annotations

import asyncio
import sys

import httpx
from a2a.client import ClientConfig, create_client
from a2a.helpers import get_stream_response_text, new_text_message
from a2a.types import Role, SendMessageRequest
from langgraph_sdk import get_client


async def main(url: str, key: str | None = None) -> None:
    """Hold a short conversation in one context."""
    headers = {"x-api-key": key} if key else {}
    (assistant,) = await get_client(url=url, api_key=key).assistants.search(graph_id="chat")
    async with httpx.AsyncClient(timeout=60, headers=headers) as http:
        agent = await create_client(
            f"{url}/a2a/{assistant['assistant_id']}",
            ClientConfig(streaming=False, httpx_client=http),
        )
        context = None  # the server chooses it
        for said in ('I loved "Blade Runer"', "1"):
            message = new_text_message(said, context_id=context, role=Role.ROLE_USER)
            print(f"> {said}")
            async for answer in agent.send_message(SendMessageRequest(message=message)):
                print(get_stream_response_text(answer), "\n")
                context = answer.task.context_id


if __name__ == "__main__":
    where = sys.argv[1:] or ["http://127.0.0.1:2024"]
    try:
        asyncio.run(main(*where))
    except httpx.ConnectError:
        sys.exit(f"No server answers at {where[0]}: `langgraph dev` starts one.")
