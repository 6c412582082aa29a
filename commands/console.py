"""What every command shares: consoles, progress bars, and errors as one clear line."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ..errors import InputError, Re2llmError, reason_of
from ..runtime.progress import Progress as ProgressCallback
from .interrupts import INTERRUPTED

_WIDE = 10_000
"""Columns where no person looks: a program that reads our lines wants them whole."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _WIDE)

_Result = TypeVar("_Result")
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
_LOADING = 5.0
"""Seconds within which a command has loaded what it needs."""


def run(work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run a command's coroutine; turn errors and Ctrl-C into a line and an exit code."""
    usual = gc.get_threshold()
    # What a command loads is no garbage: to look for some in it takes a seventh of its start.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        return asyncio.run(_closing(work, usual))
    except Re2llmError as error:
        fail(error)
    except KeyboardInterrupt:
        interrupted()
    finally:
        gc.set_threshold(*usual)


async def _closing(work: Callable[[], Awaitable[_Result]], usual: tuple[int, int, int]) -> _Result:
    """Do the work, and close what it opened.

    Args:
        usual: When to look for garbage once all is loaded, as a server or worker goes on for days.
    """
    from ..runtime.sharing import close_shared_services

    asyncio.get_running_loop().call_later(_LOADING, gc.set_threshold, *usual)
    try:
        return await work()
    except BaseExceptionGroup as group:
        ours, _ = group.split(Re2llmError)
        if ours is None:
            raise
        raise _first(ours) from group
    finally:
        await close_shared_services()


def _first(group: BaseExceptionGroup[Re2llmError]) -> Re2llmError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def interrupted() -> NoReturn:
    """Say that Ctrl-C ended the command, and exit as shells expect."""
    err.print("Interrupted; nothing is half-written. Run the command again to continue.")
    raise typer.Exit(INTERRUPTED) from None


def fail(error: Re2llmError) -> NoReturn:
    """Print an error as one line on standard error and exit with code 1."""
    err.print("[red]error:[/red] ", end="")
    err.print(str(error), markup=False, soft_wrap=True)
    raise typer.Exit(1)


def note(line: str) -> None:
    """Print a remark as one line on standard error."""
    err.print(line, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a JSON document on standard output, alone."""
    typer.echo(_as_json(value))


def read_text(file: Path) -> str:
    """Read a file, or standard input if the name is `-`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not UTF-8.
    """
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")


def write_json(field: str, file: Path, value: Any) -> None:
    """Write a JSON document to a file, or to standard output if the name is `-`.

    Raises:
        InputError: It cannot be written.
    """
    if str(file) == "-":
        print_json(value)
    else:
        write_text(field, file, _as_json(value) + "\n")


def check_writable(field: str, file: Path | None) -> None:
    """Refuse a file that cannot be written, before anything slow or paid begins.

    Raises:
        InputError: It is a folder, or its folder does not exist or is read-only.
    """
    if file is None or str(file) == "-":
        return
    folder = file.absolute().parent
    if file.is_dir() or not folder.is_dir():
        why = "it is a folder" if file.is_dir() else "its folder does not exist"
    elif os.access(file if file.exists() else folder, os.W_OK):
        return
    else:
        why = os.strerror(errno.EACCES)
    raise InputError(field, f"{file} cannot be written ({why}).", "Name another file.")


def write_text(field: str, file: Path, content: str) -> None:
    """Write a file.

    Raises:
        InputError: It cannot be written.
    """
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise InputError(
            field, f"{file} cannot be written ({reason_of(error)}).", "Name another file."
        ) from error


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def progress(*, counts: bool = False) -> Progress:
    """Return a progress bar on standard error, which vanishes when it is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if counts else TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,  # all that it would leave in a log is empty lines
    )


@contextmanager
def progress_bars(*, counts: bool = True) -> Generator[ProgressCallback]:
    """Show a progress bar for each stage that an operation reports.

    Args:
        counts: Show "done of total" instead of the percentage.
    """
    with progress(counts=counts) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int | None = None, note: str = "") -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            description = f"{stage}: {note}" if note else stage
            bars.update(tasks[stage], completed=done, total=total, description=description)

        yield show
