"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextvars import Context
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class LoopThread:
    """Runs coroutines for synchronous callers; any thread may call, at the same time.

    The thread is a daemon: a host that forgets to close it can still exit.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._running = set[asyncio.Task[Any] | None]()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self.loop.run_forever, name="re2llm", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine to its end and return its result.

        Args:
            work: Makes the coroutine.

        Raises:
            CancelledError: The thread is closed, or was closed meanwhile.
        """
        with self._lock:
            if self._closed:
                raise CancelledError
            answer = self._begin(work)
        return answer.result()

    def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """Cancel what runs, do one last thing, stop the loop and end the thread.

        Args:
            last: Makes the coroutine that closes what the loop has opened.
        """

        async def end() -> None:
            others = [task for task in self._running if task and task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await last()

        with self._lock:
            self._closed = True
            ended = self._begin(end)
        try:
            ended.result()
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()

    def _begin(self, work: Callable[[], Awaitable[_Result]]) -> Future[_Result]:
        async def whole() -> _Result:
            self._running.add(task := asyncio.current_task())
            try:
                return await work()
            finally:
                self._running.discard(task)

        # A context of its own: what a host's run carries, such as its checkpointer, belongs to
        # the host's thread and loop.
        return Context().run(asyncio.run_coroutine_threadsafe, whole(), self.loop)
