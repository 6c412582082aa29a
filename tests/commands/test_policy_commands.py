"""`re2llm policy`: what a person reads of releases, and what a program does."""

import asyncio
import json
from typing import Any

import pytest
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.operations.load import load_domain
from re2llm.runtime.services import Services
from rollouts import two_releases
from typer.testing import CliRunner


async def policy(*arguments: object) -> Any:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["policy", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
async def theater(services: Services, films: str, domain: str) -> str:
    """A domain with two releases, of which the first is active."""
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(6, seed=3)])
    await two_releases(services, domain)
    return domain


async def test_a_release_is_activated_and_rolled_back_as_json(theater: str) -> None:
    at = ("--domain", theater, "--json")
    activated = json.loads((await policy("activate", 2, *at)).stdout)
    assert (activated["id"], activated["status"]) == (2, "active")
    back = json.loads((await policy("rollback", *at)).stdout)
    assert (back["id"], back["status"]) == (1, "active")
    listed = json.loads((await policy("list", *at)).stdout)
    assert [one["status"] for one in listed] == ["active", "inactive"]
