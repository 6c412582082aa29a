"""Ctrl-C outside of a command's work: while Python still imports, and while it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code that shells expect after Ctrl-C."""


def leave_at_once() -> None:
    """Let Ctrl-C end this process without a word, until a command's work begins.

    Nothing is open by then. Python's own handler would print where the imports were.
    """
    signal.signal(signal.SIGINT, _leave)


@contextmanager
def interruptible_work() -> Generator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt` meanwhile. Does nothing in a program that embeds us."""
    ours = signal.getsignal(signal.SIGINT) is _leave
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, _let_it_end)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _let_it_end(_number: int, _frame: FrameType | None) -> None:
    """Ignore one Ctrl-C, as the embedded server may be stopping; a second one leaves."""
    signal.signal(signal.SIGINT, _leave)
