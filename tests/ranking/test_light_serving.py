"""What an answer loads: seconds go by where a process imports what it doesn't need."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from re2llm.data.sample import sample_items
from re2llm.runtime.services import Services

from .test_served_policy import (
    BEST,
    GAINS,
    HISTORIES,
    ask,
    measured,
    policy_of,
    release,
    release_of,
)

HEAVY = (
    *("torch", "transformers", "sentence_transformers", "tokenizers", "sklearn", "pandas"),
    *("pyarrow", "matplotlib", "scipy.stats", "scipy.optimize", "alembic", "dbos", "openai"),
    *("langchain_openai", "fastapi", "mcp", "re2llm.policies.networks"),
)
"""Of training, of other commands, and of the other ways to serve."""

SHELL = f"""
import json, re2llm.cli, sys
arguments = json.loads(sys.argv[1])
re2llm.cli.app(arguments, standalone_mode=False)
print([name for name in {HEAVY} if name in sys.modules])
"""

SERVER = f"""
import asyncio, json, os, sys
import httpx
from re2llm.interfaces.api.application import create_app

async def main():
    app = create_app()
    async with app.router.lifespan_context(app):
        way = httpx.ASGITransport(app, client=("127.0.0.1", 5))
        async with httpx.AsyncClient(transport=way, base_url="http://127.0.0.1") as client:
            answer = await client.post("/v1/recommend", json=json.loads(sys.argv[1]), timeout=60)
    print(answer.text)

asyncio.run(main())
print([name for name in {HEAVY[:8]} if name in sys.modules])
"""


COMMAND = """
import json, sys
from re2llm.__main__ import main

sys.argv = ["re2llm", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as ended:
    assert not ended.code
from threadpoolctl import threadpool_info
import scipy.linalg
print([pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"])
"""


async def python(code: str, argument: Any) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, json.dumps(argument)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return said.decode().splitlines()


@pytest.fixture
async def served(services: Services, load: Callable[..., Any], domain: str) -> int:
    """A domain with measured hints and an active release, asked before.

    The offline model embeds what it reads, once: a chat model needs no encoder.
    """
    await load(domain, sample_items())
    await measured(services, domain, GAINS)
    number = await release(services, domain, release_of(policy_of("content")))
    await ask(domain)
    return number


@pytest.mark.long
async def test_a_release_answers_from_the_shell_without_torch(served: int, domain: str) -> None:
    asked = ["recommend", "--domain", domain, "--policy", "ppo", "--json", *HISTORIES[0]]
    *lines, loaded = await python(SHELL, asked)
    hint = json.loads("\n".join(lines))["hint"]
    assert (hint["text"], hint["policy"]) == (BEST, f"ppo:{served}")
    assert loaded == "[]"


@pytest.mark.long
async def test_a_release_answers_over_http_without_torch(served: int, domain: str) -> None:
    *_, line, loaded = await python(SERVER, {"domain": domain, "history": list(HISTORIES[0])})
    assert json.loads(line)["hint"]["policy"] == f"ppo:{served}"
    assert loaded == "[]"


@pytest.mark.long
async def test_a_command_multiplies_in_one_thread() -> None:
    """Several wait for each other, and for those of other processes."""
    *_, threads = await python(COMMAND, ["domains", "list"])
    assert set(json.loads(threads)) == {1}
