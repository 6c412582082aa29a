"""A model server that takes its time, or fails: what `benchmarks.serve` puts behind the server.

It speaks OpenAI's chat completions and ranks the candidates of a prompt from the last to the first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

SEED = 0
TOP = 10
HANG = 600
FAULTS = ("error", "busy", "web page", "no json", "repeated", "cut", "empty", "hang")


def answer(body: dict[str, Any]) -> str:
    """Rank the candidates of a prompt backwards."""
    text = "\n".join(str(message["content"]) for message in body["messages"])
    numbers = [int(number) for number in re.findall(r"(?m)^(\d+)\|", text)]
    return json.dumps({"ranking": sorted(set(numbers), reverse=True)[:TOP]})


async def fail(fault: str, good: str) -> Response:
    """Give an answer that is wrong in the way that is named."""
    if fault == "error":
        return JSONResponse({"error": {"message": "internal error"}}, 500)
    if fault == "busy":
        return JSONResponse({"error": {"message": "slow down"}}, 429, {"Retry-After": "1"})
    if fault == "web page":
        return PlainTextResponse("<html>502 Bad Gateway</html>", 502)
    if fault == "hang":
        await asyncio.sleep(HANG)
    spoiled = {
        "no json": "I would watch the first one.",
        "repeated": json.dumps({"ranking": [1, 1, 999, 2]}),
        "cut": good[: len(good) // 2],
    }
    return completion(spoiled.get(fault, ""))


def completion(content: str) -> Response:
    """Wrap what the model says."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 1000, "completion_tokens": 30, "total_tokens": 1030}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    found = {"id": "stub", "object": "chat.completion", "created": 0, "model": "stub"}
    return JSONResponse(found | {"choices": [choice], "usage": usage})


def application(delay: float, faults: float) -> Starlette:
    """Build the server.

    Args:
        delay: Seconds that an answer takes.
        faults: Share of the requests that fail, in every way equally often.
    """
    draw = random.Random(SEED)

    async def chat(request: Request) -> Response:
        good = answer(await request.json())
        await asyncio.sleep(delay)
        if draw.random() < faults:
            return await fail(draw.choice(FAULTS), good)
        return completion(good)

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds an answer takes")
    parser.add_argument("--faults", type=float, default=0.0, help="share of failed requests")
    options = parser.parse_args()
    app = application(options.delay, options.faults)
    # Answers that hang would keep it from ending for ten minutes.
    uvicorn.run(
        app, port=options.port, log_level="critical", backlog=4096, timeout_graceful_shutdown=1
    )


if __name__ == "__main__":
    main()
