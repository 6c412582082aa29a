"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import Context
from typing import TypeVar

_Result = TypeVar("_Result")


class LoopThread:
    """Runs coroutines for synchronous callers; any thread may call, at the same time.

    The thread is a daemon: a host that forgets to close it can still exit.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="re2llm", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine to its end and return its result.

        Args:
            work: Makes the coroutine.
        """
        answer: Future[_Result] = Future()

        async def settle() -> None:
            try:
                answer.set_result(await work())
            except BaseException as error:  # noqa: BLE001  # it belongs to the caller
                answer.set_exception(error)

        def start() -> None:
            tasks.add(task := self.loop.create_task(settle()))
            task.add_done_callback(tasks.discard)

        tasks: set[asyncio.Task[None]] = set()
        # A context of its own: what a host's run carries, such as its checkpointer, belongs to
        # the host's thread and loop.
        self.loop.call_soon_threadsafe(start, context=Context())
        return answer.result()

    def close(self) -> None:
        """Stop the loop and end the thread. Only when nothing runs on it any more."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
