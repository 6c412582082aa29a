"""The programs under `examples/`, each run as its reader would run it."""

import asyncio
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from langchain_core.messages import ToolMessage
from learnt import libpq
from ports import free_port
from re2llm.knowledge.access.keys import create_key
from re2llm.runtime.services import Services

pytest.importorskip("langgraph_api", reason="needs the extra `studio`")
pytest.importorskip("langchain_mcp_adapters")
from langchain_mcp_adapters.client import MultiServerMCPClient

EXAMPLES = Path(__file__).parent.parent / "examples"
RANKED = re.compile(r"(?m)^1\. (\S.*)$")

pytestmark = pytest.mark.timeout(240)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done.stdout


def takes_the_first(printed: str) -> bool:
    """Whether the item at the head of the list is what was stored as picked."""
    listed = RANKED.search(printed)
    return listed is not None and f"Noted: {listed[1].split(' (')[0]}." in printed


@pytest.mark.long
def test_a_supervisor_with_packages_called_as_ours(films: str, tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "supervisor", tmp_path / "host")
    answers = run(folder, sys.executable, "graph.py").splitlines()
    assert answers[0] == "When do you close? At ten."
    assert answers[1].startswith("What should I see next? After those I would see ")
    assert answers[1].count(",") == 2


async def test_a_langchain_agent(
    films: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this process, which spares loading everything again.
    monkeypatch.setattr(sys, "argv", ["langchain_agent.py"])
    path = str(EXAMPLES / "langchain_agent.py")
    await asyncio.to_thread(runpy.run_path, path, run_name="__main__")
    assert takes_the_first(capsys.readouterr().out)


@pytest.mark.slow
def test_mcp_over_standard_input_and_output(films: str, tmp_path: Path) -> None:
    printed = run(tmp_path, sys.executable, str(EXAMPLES / "mcp_stdio.py"))
    assert printed.startswith("After Blade Runner:")
    assert RANKED.search(printed)


@pytest.mark.long
@pytest.mark.parametrize("name", ["mcp_stdio.py", "langchain_agent.py", "supervisor/graph.py"])
def test_without_the_films_each_says_what_to_do(
    empty_database: dict[str, str], tmp_path: Path, name: str
) -> None:
    _refused(EXAMPLES / name, "`re2llm demo` loads", tmp_path, empty_database)


@pytest.mark.long
@pytest.mark.parametrize("name", ["remote_graph.py", "mcp_http.py", "a2a_client.py"])
def test_without_a_server_each_says_what_to_do(tmp_path: Path, name: str) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    said = _refused(EXAMPLES / name, "`langgraph dev` starts one.", tmp_path, {}, address)
    assert said == f"No server answers at {address}: `langgraph dev` starts one.\n"


def _refused(program: Path, remedy: str, folder: Path, env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        check=False,
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert remedy in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def empty_database(url: str) -> Iterator[dict[str, str]]:
    """Variables that name a database without any domain."""
    name = "without_films"
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    at = urlsplit(libpq(url))
    yield {"RE2LLM_DATABASE_URL": at._replace(path=f"/{name}").geturl()}
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.long
@pytest.mark.parametrize("name", ["remote_graph.py", "mcp_http.py", "a2a_client.py"])
def test_over_http(server: str, tmp_path: Path, name: str) -> None:
    assert RANKED.search(run(tmp_path, sys.executable, str(EXAMPLES / name), server))


async def test_mcp_over_http_says_what_the_tool_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a second domain, for example, the tool asks which one is meant."""

    class Refusing:
        name = "recommend"

        async def ainvoke(self, _: object) -> ToolMessage:
            return ToolMessage("domain: It is not named.", tool_call_id="1", status="error")

    async def tools(_: object) -> list[Refusing]:
        return [Refusing()]

    monkeypatch.setattr(MultiServerMCPClient, "get_tools", tools)
    monkeypatch.setattr(sys, "argv", ["mcp_http.py"])
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(runpy.run_path, str(EXAMPLES / "mcp_http.py"), run_name="__main__")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "domain: It is not named.\n"


@pytest.mark.long
@pytest.mark.parametrize("name", ["mcp_http.py", "a2a_client.py"])
async def test_over_http_with_a_key(
    server: str, films: str, services: Services, tmp_path: Path, name: str
) -> None:
    async with services.engine.begin() as connection:
        key = await create_key(connection, "example", [films])
    program = str(EXAMPLES / name)
    printed = await asyncio.to_thread(run, tmp_path, sys.executable, program, server, key)
    assert RANKED.search(printed)
    if name == "a2a_client.py":
        assert takes_the_first(printed)  # the second message knows of the first


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_plain_http(server: str, tmp_path: Path) -> None:
    import json

    answer = json.loads(run(tmp_path, "sh", str(EXAMPLES / "plain_http.sh"), server))
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3]
    assert answer["error"] is None


def test_the_docs_show_the_same_request() -> None:
    page = (EXAMPLES.parent / "docs" / "http.md").read_text(encoding="utf-8")
    _, request = (EXAMPLES / "plain_http.sh").read_text(encoding="utf-8").split("\n\n")
    assert request.strip() in page


def test_every_example_is_run_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for example in EXAMPLES.iterdir():
        if not example.name.startswith(("_", ".")):
            assert f'"{example.name}"' in source, example.name
