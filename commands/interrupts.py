"""Ctrl-C while Python still imports, and while a command ends; other signals that end one.

`kill` and a closed terminal end a command as Ctrl-C does, so that the embedded server stops too.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

_IGNORED = 2
"""The Ctrl-C that is ignored while the command closes after the first one."""
_PATIENCE = 2.0
"""Seconds that threads get to finish, such as writing a file."""


class WorkThreads(ThreadPoolExecutor):
    """The threads of a command's work. After Ctrl-C it waits for them no longer than `_PATIENCE`.

    A thread cannot be stopped, and one that computes may go on for half a minute.

    Attributes:
        interrupted: Whether Ctrl-C has ended the work.
    """

    interrupted = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end, and wait for that; after Ctrl-C, not for long."""
        if not self.interrupted:
            super().shutdown(wait, cancel_futures=cancel_futures)
            return
        super().shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))


_ended_by: list[int] = [signal.SIGINT]
"""Signals; the last one ended the command."""


def exit_code() -> int:
    """Return what shells expect after the signal that ended the command: 130 after Ctrl-C."""
    return 128 + _ended_by[-1]


def leave_threads() -> None:
    """End this process after a signal, and do what its end demands, if a thread still works."""
    if all(one.daemon or one is threading.current_thread() for one in threading.enumerate()):
        return
    _end_now()


def leave_threads_within(seconds: float) -> None:
    """End this process, as a success, if a thread still holds up its end after some time."""

    def leave() -> None:
        idle = (threading.main_thread(), threading.current_thread())
        if any(not one.daemon and one not in idle for one in threading.enumerate()):
            _end_now(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def end_within(seconds: float) -> None:
    """End this process after some time, as a success, whatever its threads then wait for."""
    timer = threading.Timer(seconds, _end_now, [0])
    timer.daemon = True
    timer.start()


def _end_now(code: int | None = None) -> NoReturn:
    # Python itself runs them only once all threads have ended.
    atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError):  # MCP's server closes what it writes to
            stream.flush()
    os._exit(exit_code() if code is None else code)


def leave_at_once() -> None:
    """Let Ctrl-C end this process without a word, until a command's work begins.

    Nothing is open by then. Python's own handler would print where the imports were.
    """
    signal.signal(signal.SIGINT, _leave)


@contextmanager
def interruptible_work() -> Generator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt` meanwhile, and what ends a command act as Ctrl-C.

    Does nothing in a program that embeds us.
    """
    ours = signal.getsignal(signal.SIGINT) is _leave
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has one ignored
                signal.signal(number, _as_ctrl_c)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, _let_it_end)


def _as_ctrl_c(number: int, _frame: FrameType | None) -> None:
    _ended_by.append(number)
    signal.raise_signal(signal.SIGINT)


class Presses:
    """Lets the first Ctrl-C cancel the work, the second do nothing, and the third end the process.

    On the second one, asyncio would raise `KeyboardInterrupt` wherever the loop is, in the midst of
    closing, which leaves traces on standard error.
    """

    def __init__(self) -> None:
        self._count = 0
        self._before = signal.getsignal(signal.SIGINT)
        self._cancel: Any = None

    def begin(self) -> None:
        """Begin, within the event loop of the work. Does nothing outside of the main thread."""
        self._cancel = signal.getsignal(signal.SIGINT)
        if callable(self._cancel) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self)

    def end(self) -> None:
        """Let Ctrl-C do what it did before, once the event loop is closed."""
        if signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, self._before)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self._count += 1
        if self._count == 1:
            self._cancel(number, frame)
        elif self._count > _IGNORED:
            signal.signal(signal.SIGINT, _leave)
            _end_now()


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(exit_code())


def _let_it_end(_number: int, _frame: FrameType | None) -> None:
    """Ignore one Ctrl-C, as the embedded server may be stopping; a second one leaves."""
    signal.signal(signal.SIGINT, _leave)
