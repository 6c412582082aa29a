"""Runs with an API key, and values that no request should hold."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from fault_server import FaultServer
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.runtime.caller import Caller
from re2llm.runtime.services import Services
from sqlalchemy import text

IDS = [film.id for film in load_films()]
CANDIDATES = IDS[10:18]
OTHER = "openai:o1-pro"
HOSTILE: list[Any] = [
    10**30,
    -(10**30),
    -1,
    0,
    1500,
    1e308,
    float("nan"),
    float("inf"),
    True,
    "",
    "\0",
    "a\ud800b",
    "x" * 1_000_000,
    OTHER,
    [],
    ["\0"],
    ["x" * 1_000_000],
    ["x"] * 200_000,
    {},
    {"max_llm_calls": 10**9, "llm_calls": -(10**9)},
    {"services": {}, "grants": {"models": [OTHER]}},
]


class User(dict[str, Any]):
    """As a LangGraph server hands its authenticated user on."""

    @property
    def identity(self) -> str:
        return self["identity"]


def own_model(server: FaultServer, adjust: Callable[..., None]) -> str:
    """Make a fault server's model the settings' own."""
    name = f"openai:own-{uuid.uuid4().hex[:8]}"
    adjust(
        base_url=server.url,
        api_key=SecretStr("sk-none"),
        structured="plain",
        model=name,
        policy="none",
    )
    return name


async def run(
    which: Any, caller: Caller | None, request: Any, context: dict[str, Any] | None = None
) -> dict[str, Any]:
    user = None if caller is None else User(caller.as_user())
    config: Any = {"configurable": {"langgraph_auth_user": user}}
    return await which.ainvoke(request, config, context=context or {})


def asking(at: int = 0) -> dict[str, Any]:
    return {"history": IDS[at : at + 2], "candidates": CANDIDATES}


async def sums(services: Services, caller: Caller) -> tuple[int, set[str], set[str]]:
    """Requests, models and commands that the ledger books for a key."""
    async with services.engine.connect() as connection:
        query = text("SELECT requests, model, command FROM re2llm.llm_call WHERE api_key_id = :id")
        rows = list(await connection.execute(query, {"id": caller.key_id}))
    return sum(row[0] for row in rows), {row[1] for row in rows}, {row[2] for row in rows}
