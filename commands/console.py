"""What every command shares: consoles, progress bars, and errors as one clear line."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import traceback
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any, NoReturn, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
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
from rich.segment import Segment

from ..errors import Re2llmError
from ..records import ONLY_DOMAIN_LOG
from ..runtime.progress import Progress as ProgressCallback
from ..terminal_text import one_line, printable, printable_json
from .interrupts import Presses, WorkThreads, exit_code
from .option_names import in_options, stated, stated_as_json

_WIDE = 10_000
"""Columns where the output is no terminal: programs that read it want whole lines."""


class SafeConsole(Console):
    """A console that prints what anyone wrote as it is: no escape sequence, markup or emoji in it.

    Each text is one line, whatever ids and names it holds.

    Args:
        stderr: Whether to write to standard error.
        file: Where else to write.
        width: Columns; those of the terminal, or all that a pipe needs, if not given.
    """

    def __init__(
        self, *, stderr: bool = False, file: IO[str] | None = None, width: int | None = None
    ) -> None:
        seen = (file or (sys.stderr if stderr else sys.stdout)).isatty()
        super().__init__(
            stderr=stderr,
            file=file,
            width=width or (None if seen else _WIDE),
            highlight=False,
            markup=False,
            emoji=False,
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render an object; texts become `printable`, and rich's control codes stay."""
        for part in super().render(renderable, options):
            yield part if part.control else Segment(printable(part.text), part.style)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print objects as rich does, but each text as one line, which a terminal may fold."""
        super().print(
            *(one_line(one) if isinstance(one, str) else one for one in objects), **options
        )

    def print_line(self, text: str) -> None:
        """Print a text as one line, however long it is."""
        self.print(text, soft_wrap=True)


class _Lines(logging.Formatter):
    """Writes plain lines, with the first one of an error instead of its trace."""

    def format(self, record: logging.LogRecord) -> str:
        line = record.getMessage()
        if record.exc_info and (error := record.exc_info[1]) is not None:
            reason = "".join(traceback.format_exception_only(error)).strip()
            line = f"{line} ({reason.splitlines()[0]})"
        return one_line(line)


class _Traces(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # as logging has it
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


out = SafeConsole()
err = SafeConsole(stderr=True)
if logging.lastResort:  # writes warnings to standard error where no server sets up a log
    logging.lastResort.setFormatter(_Lines())


def log_traces() -> None:
    """Have standard error be the log of a command that serves, with the traces of errors."""
    if logging.lastResort:
        logging.lastResort.setFormatter(_Traces())


_Result = TypeVar("_Result")
# In a list, so that a thread or a task of the command changes it for all.
_waits_for_json: ContextVar[list[bool]] = ContextVar("_waits_for_json", default=[False])  # noqa: B039
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
_LOADING = 5.0
"""Seconds in which a command has loaded what it needs."""


def run(work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run a command's coroutine; turn errors and Ctrl-C into a line and an exit code."""
    usual = gc.get_threshold()
    # Looking for garbage while modules load takes a seventh of a command's start.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    presses = Presses()
    try:
        return asyncio.run(_closing(work, usual, presses))
    except Re2llmError as error:
        fail(error)
    except KeyboardInterrupt:
        interrupted()
    finally:
        presses.end()
        gc.set_threshold(*usual)


async def _closing(
    work: Callable[[], Awaitable[_Result]], usual: tuple[int, int, int], presses: Presses
) -> _Result:
    """Do the work, and close what it opened.

    Args:
        usual: When to look for garbage once all is loaded, as a server or worker goes on for days.
        presses: Presses of Ctrl-C.
    """
    presses.begin()
    from ..runtime.sharing import close_shared_services

    loop = asyncio.get_running_loop()
    loop.call_later(_LOADING, gc.set_threshold, *usual)
    threads = WorkThreads()
    loop.set_default_executor(threads)
    try:
        return await work()
    except asyncio.CancelledError:
        threads.interrupted = True
        raise
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
    """Say that a signal ended the command, and exit as shells expect."""
    err.print("Interrupted; nothing is half-written. Run the command again to continue.")
    raise typer.Exit(exit_code()) from None


def fail(error: Re2llmError) -> NoReturn:
    """Print an error as one line on standard error and exit with code 1.

    With `--json`, standard output has it as `{"error": …}`.
    """
    print_error_as_json(stated_as_json(error))
    print_error(error)
    raise typer.Exit(1)


def print_error(error: Re2llmError) -> None:
    """Print an error as one line on standard error."""
    err.print("error: ", style="red", end="")
    err.print_line(stated(error))


@contextmanager
def result_as_json(wanted: bool) -> Generator[None]:
    """Let the command that runs print a JSON document, if it is wanted, whatever happens."""
    token = _waits_for_json.set([wanted])
    try:
        yield
    finally:
        _waits_for_json.reset(token)


def print_error_as_json(error: Mapping[str, str]) -> None:
    """Print an error as a JSON document, where one is wanted and none was printed."""
    if _waits_for_json.get()[0]:
        print_json({"error": error})


def note(line: str) -> None:
    """Print a remark as one line on standard error, with options for fields in backticks."""
    err.print_line(in_options(line))


class _Once(logging.Handler):
    """Prints a record as a remark, the first time."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).removeHandler(self)
        note(f"note: {record.getMessage()}")


def say_only_domain() -> None:
    """Say once which domain is used, if the database holds one and none was named."""
    told = logging.getLogger(ONLY_DOMAIN_LOG)
    told.setLevel(logging.DEBUG)
    told.propagate = False
    told.handlers = [_Once()]


def json_text(value: Any) -> str:
    """Return a JSON document as a person may read it."""
    return printable_json(json.dumps(value, ensure_ascii=False, indent=2))


def print_json(value: Any) -> None:
    """Print a JSON document on standard output, alone."""
    typer.echo(json_text(value))
    _waits_for_json.get()[0] = False


def progress(*, counts: bool = False) -> Progress:
    """Return a progress bar on standard error, which vanishes when it is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn() if counts else TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,  # in a log, it would leave only empty lines
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
