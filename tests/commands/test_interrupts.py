"""Ctrl-C at any moment of a command: exit code 130, and one line at most."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tomllib
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from re2llm import __main__
from re2llm.runtime.blocking import ctrl_c_raises
from silent_pipe import SilentPipe

ROOT = Path(__main__.__file__).parent
_IMPORT = "import time:"
CLIENT = {"name": "test", "version": "1"}


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A database that accepts and never says a word: the command is at work when we interrupt."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield f"postgresql://someone@127.0.0.1:{server.getsockname()[1]}/db"


@pytest.mark.long
@pytest.mark.parametrize(
    ("loaded", "presses"),
    [
        ("typer.colors", 1),  # nearly nothing else is imported
        ("rich.console", 2),
        ("re2llm.operations.hints.manage", 3),  # in the command's work
    ],
)
def test_it_ends_with_130_and_one_line_at_most(silent_url: str, loaded: str, presses: int) -> None:
    """As soon as a module is loaded, Ctrl-C is pressed."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "re2llm", "hints", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RE2LLM_DATABASE_URL": silent_url},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.rpartition("|")[2].strip() == loaded:
            break
    else:
        pytest.fail(f"{loaded} was never loaded")
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=60)
    said = [line for line in errors.splitlines() if not line.startswith(_IMPORT)]
    assert process.returncode == 130, errors
    assert shown == ""
    assert len(said) <= 1, said
    assert all(line.startswith("Interrupted;") for line in said)


BUSY = """
import asyncio, atexit, sys, time
from re2llm import __main__
from re2llm.runtime.blocking import ctrl_c_raises
from re2llm.cli import app
from re2llm.commands.console import run

async def work():
    thread = asyncio.create_task(asyncio.to_thread(time.sleep, 3600))
    await asyncio.sleep(0.1)
    print("at work", flush=True)
    await thread

@app.command("busy")
def busy():
    run(work)

atexit.register(print, "closed")
sys.argv = ["re2llm", "busy"]
__main__.main()
"""


@pytest.mark.long
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_does_not_wait_for_a_thread_that_computes(sign: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The tests themselves may run under `nohup`.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(sign)
    try:
        shown, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, shown) == (128 + sign, "closed\n")
    [line] = errors.splitlines()
    assert line.startswith("Interrupted;")


@pytest.mark.long
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_mcp_server_does_not_wait_for_its_client(silent_url: str, sign: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "re2llm", "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RE2LLM_DATABASE_URL": silent_url},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    process.send_signal(sign)
    try:  # standard input stays open
        process.wait(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + sign
    assert process.stderr is not None
    assert process.stderr.read().startswith("Interrupted;")


@pytest.mark.long
def test_nohup_keeps_a_command_alive() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY.replace("3600", "1")],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # noqa: PLW1509
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGHUP)
    shown, _ = process.communicate(timeout=60)
    assert (process.returncode, shown) == (0, "closed\n")


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "sign"),
    [
        (("rate", "--request", "-"), signal.SIGTERM),
        (("hints", "add", "--file", "-"), signal.SIGINT),
        (("hints", "import", "PIPE"), signal.SIGTERM),
        (("rater", "train", "--model", "tiny", "--out", "x", "--config", "PIPE"), signal.SIGTERM),
    ],
)
def test_it_does_not_wait_for_a_file_that_is_silent(
    command: tuple[str, ...], sign: signal.Signals, silent_url: str, tmp_path: Path
) -> None:
    pipe = SilentPipe(tmp_path / "pipe")
    process = subprocess.Popen(
        [sys.executable, "-m", "re2llm", *(str(pipe.path) if a == "PIPE" else a for a in command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RE2LLM_DATABASE_URL": silent_url},
        cwd=tmp_path,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    if "PIPE" in command:
        pipe.wait_for_reader()
    else:
        process.stdin.write(" ")
        process.stdin.flush()
        until = time.monotonic() + 60
        while not _is_empty(process.stdin.fileno()):
            assert time.monotonic() < until
            time.sleep(0.02)
    process.send_signal(sign)
    try:  # nobody closes what it reads
        process.wait(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + sign
    [line] = process.stderr.read().splitlines()
    assert line.startswith("Interrupted;")


def _is_empty(pipe: int) -> bool:
    """Whether all that was written to a pipe has been read."""
    waiting = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0] == 0


CLOSING = """
import asyncio, atexit, sys
from re2llm import __main__
from re2llm.runtime.blocking import ctrl_c_raises
from re2llm.cli import app
from re2llm.commands.console import run

async def work():
    print("at work", flush=True)
    try:
        await asyncio.sleep(3600)
    finally:
        print("closing", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print("done", flush=True)

@app.command("closing")
def closing():
    run(work)

atexit.register(print, "closed")
sys.argv = ["re2llm", "closing"]
__main__.main()
"""


@pytest.mark.long
@pytest.mark.parametrize("ends", [True, False])
def test_a_second_press_disturbs_no_closing_and_a_third_ends_it(ends: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CLOSING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for line in ("at work\n", "closing\n"):
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)
    try:
        if ends:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"
        else:
            time.sleep(1)  # two signals at a time are one
            process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, shown) == (130, "closed\n")
    assert [line.partition(";")[0] for line in errors.splitlines()] == ["Interrupted"] * ends


def test_the_command_starts_as_the_module_does() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"re2llm": "re2llm.__main__:main"}
    assert callable(__main__.main)


def test_ctrl_c_ends_work_that_awaits_nothing() -> None:
    async def work() -> None:
        before = signal.getsignal(signal.SIGINT)
        try:
            with ctrl_c_raises():
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
                until = time.monotonic() + 30
                while time.monotonic() < until:
                    pass
                raise AssertionError
        finally:
            assert signal.getsignal(signal.SIGINT) is before

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(work())
    finally:
        signal.signal(signal.SIGINT, usual)
