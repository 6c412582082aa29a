"""No request to a real provider leaves the tests, and no key leaves the settings."""

import asyncio
import io
import json
import logging
import os
import socket
import subprocess
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fault_server import FaultServer
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.errors import InputError
from re2llm.graph.recommend import graph
from re2llm.llm.client.factory import make_chat_model
from re2llm.runtime.context import Context
from re2llm.settings import Settings

IDS = [film.id for film in load_films()]
KEY = "sk-topsecret-0123456789abcdef"
RE2LLM = Path(sys.executable).with_name("re2llm")


# The guard


@pytest.mark.parametrize("host", ["api.openai.com", "192.0.2.1", "2001:db8::1", "8.8.8.8"])
def test_no_socket_reaches_another_machine(host: str) -> None:
    with pytest.raises(Exception, match=r"no test may reach|not allowed"):
        socket.create_connection((host, 443), timeout=2)


async def test_no_chat_model_reaches_its_provider() -> None:
    model = ChatOpenAI(model="gpt-4.1-mini", api_key=SecretStr(KEY), max_retries=0, timeout=5)
    with pytest.raises(Exception, match=r"[Cc]onnection") as caught:
        await model.ainvoke("Are you there?")
    told = "".join(traceback.format_exception(caught.value))
    assert "no test may reach" in told or "not allowed" in told


def test_nor_from_a_process_that_a_test_starts() -> None:
    code = (
        "import socket\n"
        "for host in ('api.openai.com', '192.0.2.1'):\n"
        "    try:\n"
        "        socket.create_connection((host, 443), timeout=2)\n"
        "    except OSError as error:\n"
        "        print(error)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("no test may reach") == 2


def test_no_key_of_the_person_who_runs_the_tests_is_in_reach() -> None:
    assert not [name for name in os.environ if name.endswith("_API_KEY")]


# Keys


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.mark.long
async def test_a_key_shows_nowhere(
    server: FaultServer,
    adjust: Callable[..., None],
    films: str,
    url: str,
    rows: Callable[[], dict[str, int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither in logs, at any level of ours, nor in answers, errors or any table."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger("re2llm")
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    adjust(base_url=server.url, api_key=SecretStr(KEY), model_retries=1, request_timeout=0.3)
    model = f"openai:keys-{uuid.uuid4().hex[:8]}"
    results: list[Any] = []
    try:
        for at, fault in enumerate(("", "401", "403", "400", "429", "500", "hang", "no JSON")):
            server.play(*([fault] * 9 if fault else []))
            request: Any = {
                "domain": films,
                "history": IDS[at : at + 2],
                "candidates": IDS[10:16],
            }
            context = Context(policy="none", model=model)
            results.append(await graph.ainvoke(request, context=context))
            server.clear()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert any(KEY in json.dumps(asked.headers) for asked in server.asked)  # it was really used
    printed = capsys.readouterr()
    for place in (heard.getvalue(), json.dumps(results), printed.out, printed.err):
        assert "topsecret" not in place
    assert "failed" in heard.getvalue()
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        for table in rows():
            query = f"SELECT count(*) FROM re2llm.{table} AS t WHERE t::text LIKE '%topsecret%'"
            found = connection.execute(query).fetchone()
            assert found == (0,), table


@pytest.mark.parametrize("name", ["nonsense:x", "anthropic:x", "openai", f"nonsense:{KEY}"])
def test_a_key_shows_in_no_error_of_the_factory(name: str) -> None:
    with pytest.raises(InputError) as caught:
        make_chat_model(Settings(api_key=SecretStr(KEY)), name)
    told = "".join(traceback.format_exception(caught.value))
    assert "topsecret" not in told.replace(repr(name), "")


def test_a_key_shows_in_no_model() -> None:
    model = make_chat_model(Settings(api_key=SecretStr(KEY)), "openai:x")
    assert "topsecret" not in repr(model)


@pytest.mark.long
async def test_a_key_shows_in_no_command(tmp_path: Path, server: FaultServer, films: str) -> None:
    server.play(*["401"] * 9)
    report = tmp_path / "figures.json"
    sessions = tmp_path / "sessions.jsonl"
    row = {"history": IDS[:2], "target": IDS[12], "candidates": IDS[10:16]}
    sessions.write_text(json.dumps(row) + "\n")
    command = [
        *(str(RE2LLM), "evaluate", "--domain", films, "--sessions", str(sessions)),
        *("--policies", "none", "--baselines", "random", "--json", str(report)),
    ]
    environment = {
        **os.environ,
        "RE2LLM_MODEL": "openai:keys",
        "RE2LLM_API_KEY": KEY,
        "RE2LLM_BASE_URL": server.url,
    }
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert '"denied": 1' in report.read_text()
    assert KEY in json.dumps(server.asked[0].headers)
    for place in (done.stdout, done.stderr, report.read_text()):
        assert "topsecret" not in place
