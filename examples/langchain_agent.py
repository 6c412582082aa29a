"""A LangChain agent with re2llm's tools: `python langchain_agent.py [provider:model]`.

Without a model it runs on re2llm's stand-in for one, which needs no key. It reads titles in
quotation marks, and a number as a pick.
"""

from __future__ import annotations

import asyncio
import sys

import re2llm
from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from re2llm.llm.offline import OfflineAssistant


async def main() -> None:
    """Hold a short conversation."""
    model = init_chat_model(sys.argv[1]) if len(sys.argv) > 1 else OfflineAssistant()
    async with re2llm.Re2llm(domain="films") as host:
        await host.asearch_items("Alien")  # raises if there is no such domain
        tools = [
            re2llm.titles_tool(host),
            re2llm.recommender_tool(host),
            re2llm.feedback_tool(host),
        ]
        agent = create_agent(model, tools, system_prompt="Help the person to find a film.")
        messages: list[object] = []
        for said in ('I loved "Blade Runer"', "1"):
            messages = (await agent.ainvoke({"messages": [*messages, ("user", said)]}))["messages"]
            print(f"> {said}\n{messages[-1].text}\n")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except re2llm.Re2llmError as error:
        sys.exit(str(error))
