"""What refused requests leave is found before it fills the memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from re2llm.interfaces.api.application import create_app
from re2llm.interfaces.api.garbage import BYTES, CollectsGarbage
from re2llm.runtime.services import Services
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

PART = BYTES // 8


class RefusedError(ValueError):
    """An error that can be watched."""


@pytest.fixture(autouse=True)
def _never_by_itself() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def test_cycles_that_hold_bodies_go_once_so_many_bytes_have_come() -> None:
    left: list[weakref.ref[RefusedError]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        error = RefusedError(body)
        error.args = (body, error)  # as an error whose traceback holds its own frame
        left.append(weakref.ref(error))
        await send({"type": "http.response.start", "status": 422, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(CollectsGarbage(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for number in range(1, 41):
            await client.post("/", content=b"x" * PART)
            assert sum(one() is not None for one in left) <= min(number, 9)
    assert len(left) == 40


@pytest.mark.long
async def test_refused_bodies_do_not_pile_up(services: Services) -> None:
    """With the API's own errors, whose frames hold the whole body."""
    app = create_app()  # not its lifespan, at whose end the tests' services would be closed
    transport = httpx.ASGITransport(CollectsGarbage(app), client=("127.0.0.1", 5))
    body = b'{"unknown": "' + b"x" * 3_000_000 + b'"}'
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for number in range(80):
            answer = await client.post(
                "/v1/recommend", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 422
            if number == 20:
                before = _resident()
    assert _resident() - before < 100


def _resident() -> float:
    """Return the process's memory in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
