"""`re2llm serve` as a process: who may reach it, how it ends, several workers."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from api_server import serve_command
from fault_server import FaultServer, backwards
from re2llm.data.sample import load_films

FILMS = [film.id for film in load_films()]
BODY = {"history": FILMS[:2], "candidates": FILMS[10:16], "k": 2}


def refused(*options: str) -> str:
    words = [sys.executable, "-m", "re2llm", "serve", *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.long
def test_a_root_path_is_a_path(films: str) -> None:
    assert "--root-path" in refused("--root-path", "recommender")


@pytest.mark.long
def test_other_machines_need_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RE2LLM_HOME", str(tmp_path))  # of a database without keys
    for host in ("0.0.0.0", "192.0.2.1"):  # noqa: S104
        assert "re2llm keys create" in refused("--host", host)


@pytest.mark.long
def test_an_address_that_cannot_be_listened_on_is_named(films: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = refused("--port", str(taken.getsockname()[1]))
    assert told.startswith("error: --port: 127.0.0.1:")
    assert "Address already in use" in told


@pytest.fixture
def slow() -> Iterator[FaultServer]:
    """A model that takes long enough to be met by a signal."""
    with FaultServer(backwards, delay=3.0).running() as model:
        yield model


def own(model: FaultServer) -> dict[str, str]:
    return {
        "RE2LLM_MODEL": "openai:own",
        "RE2LLM_BASE_URL": model.url,
        "RE2LLM_API_KEY": "sk-none",
        "RE2LLM_STRUCTURED": "plain",
        "RE2LLM_POLICY": "none",
        "RE2LLM_CALL_CACHE": "false",
    }


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await done():  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_requests_in_flight_are_finished_and_readiness_goes_first(
    films: str, tmp_path: Path, slow: FaultServer
) -> None:
    log = tmp_path / "serve.log"
    with serve_command(log, "--drain-delay", "2", **own(slow)) as running:
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as http:

            async def stream() -> str:
                events = {"accept": "text/event-stream"}
                return (await http.post("/v1/recommend", json=BODY, headers=events)).text

            plain = asyncio.create_task(http.post("/v1/recommend", json=BODY))
            events = asyncio.create_task(stream())

            async def both_asked() -> bool:
                return len(slow.asked) == 2

            await until(both_asked)
            running.terminate()

            async def not_ready() -> bool:
                return (await http.get("/readyz")).status_code == 503

            await until(not_ready)
            assert (await http.get("/readyz")).json()["detail"] == "The server is shutting down."
            late = await http.post("/v1/items:search", json={"query": "Alien"})
            assert late.status_code == 200
            answer = await plain
            assert answer.status_code == 200
            assert answer.json()["flags"] == []
            assert "event: result" in await events
        await asyncio.to_thread(running.process.wait, 60)
    assert running.process.returncode == 0
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    assert {"Shutting down"} <= {json.loads(line)["message"] for line in lines}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_what_takes_too_long_ends_with_the_drain(
    films: str, tmp_path: Path, slow: FaultServer
) -> None:
    slow.delay = 300.0
    with serve_command(tmp_path / "serve.log", "--drain-seconds", "1", **own(slow)) as running:
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as http:
            hanging = asyncio.create_task(http.post("/v1/recommend", json=BODY))

            async def asked() -> bool:
                return len(slow.asked) == 1

            await until(asked)
            running.terminate()
            await asyncio.to_thread(running.process.wait, 60)
            with pytest.raises(httpx.HTTPError):
                (await hanging).raise_for_status()
    assert running.process.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_two_workers_share_requests_and_metrics(films: str, tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with serve_command(log, "--workers", "2", "--root-path", "/shop") as running:

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(base_url=running.url, timeout=60) as http:
                return await http.post("/v1/recommend", json={"history": FILMS[:1], "k": 1})

        answers = await asyncio.gather(*(ask() for _ in range(24)))
        assert {answer.status_code for answer in answers} == {200}
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as http:
            for _ in range(6):  # whichever process answers
                text = (await http.get("/metrics", headers={"connection": "close"})).text
                assert "re2llm_recommendations_total 24.0" in text
                assert "re2llm_http_requests_in_flight 1.0" in text
            # The proxy has taken the path off.
            assert (await http.get("/v1/hints")).status_code == 200
            document = (await http.get("/openapi.json")).json()
            assert document["servers"] == [{"url": "/shop"}]
        running.terminate()
        await asyncio.to_thread(running.process.wait, 60)
    assert running.process.returncode == 0
    started = [line for line in log.read_text().splitlines() if "Started server process" in line]
    assert len(started) == 2
