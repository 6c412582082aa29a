"""A named pipe that nobody has written to yet."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from re2llm.errors import InputError

_PATIENCE = 20.0


class SilentPipe:
    """The pipe; whoever opens it to read waits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)

    def wait_for_reader(self) -> int:
        """Return a descriptor to write to, once somebody waits for what is written."""
        until = time.monotonic() + 60
        while (writer := self._opened()) is None:
            assert time.monotonic() < until, "nobody reads"
            time.sleep(0.02)
        return writer

    async def let_others_work(self, work: Awaitable[Any]) -> None:
        """Assert that the event loop goes on while some work waits for the pipe, and that it ends.

        It ends with the pipe, which turns out to be empty.
        """
        freed = threading.Timer(_PATIENCE, self._free)
        freed.start()
        task = asyncio.ensure_future(work)
        try:
            while (writer := self._opened()) is None:
                await asyncio.sleep(0.01)
                assert not task.done(), task.exception()
            assert freed.is_alive(), "the event loop stood still"
        finally:
            freed.cancel()
        os.close(writer)
        while not task.done():  # it may open the pipe more than once
            self._free()
            await asyncio.sleep(0.01)
        with pytest.raises(InputError):
            await task

    def _opened(self) -> int | None:
        try:
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise

    def _free(self) -> None:
        writer = self._opened()
        if writer is not None:
            os.close(writer)
