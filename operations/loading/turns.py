"""Lets the other requests of a server go on while a thread reads a large file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from ...data.files import at_each_line

_Value = TypeVar("_Value")

_TURN = 0.002
"""Least seconds of reading, and then of rest. Python lets one thread compute at a time; while one
sleeps, others can."""


class StoppedError(Exception):
    """Nobody waits for the reading any more."""


async def in_turns(read: Callable[[], _Value]) -> _Value:
    """Read in a thread that rests as long as it works, and ends soon after this is cancelled.

    A thread cannot be cancelled, and would hold up the end of the process.

    Args:
        read: Reads files by line.
    """
    turns = _Turns()

    def work() -> _Value:
        turns.begin()
        with at_each_line(turns.take):
            return read()

    try:
        return await asyncio.to_thread(work)
    finally:
        turns.stopped = True


class _Turns:
    def __init__(self) -> None:
        self.stopped = False
        self._began = 0.0

    def begin(self) -> None:
        self._began = time.thread_time()

    def take(self) -> None:
        worked = time.thread_time() - self._began
        if worked < _TURN:
            return
        if self.stopped:
            raise StoppedError
        time.sleep(worked)
        self.begin()
