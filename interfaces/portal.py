"""An event loop in its own thread, for callers that have none."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from contextvars import Context
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

_Result = TypeVar("_Result")


class Portal:
    """Runs coroutines for synchronous callers; any number of threads may call at the same time.

    A program that forgets to close it can still exit.

    Attributes:
        loop: The thread's event loop.

    Args:
        last: Closes on the loop what the coroutines have opened, after they have ended.
    """

    def __init__(self, last: Callable[[], Awaitable[None]]) -> None:
        self._exit = ExitStack()
        thread = self._exit.enter_context(start_blocking_portal(name="re2llm"))
        self.loop: asyncio.AbstractEventLoop = thread.call(asyncio.get_running_loop)
        self._exit.callback(thread.call, last)
        # A portal within the portal, so that all work has ended before the last call.
        self._work = self._exit.enter_context(thread.wrap_async_context_manager(_cancelling()))
        atexit.register(self.close)

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine to its end and return its result.

        Args:
            work: Makes the coroutine.

        Raises:
            RuntimeError: The portal is closed, or this is its own thread.
            CancelledError: The portal was closed in the meantime.
        """
        # An empty context: what a host's run carries in its context, such as its checkpointer,
        # belongs to the host's thread and loop.
        return Context().run(self._work.start_task_soon, work).result()

    def close(self) -> None:
        """Cancel what runs, close what it has opened, and end the thread."""
        atexit.unregister(self.close)
        self._exit.close()


@asynccontextmanager
async def _cancelling() -> AsyncGenerator[BlockingPortal]:
    """Yield a portal to the running loop. At the end, cancel its work and wait until it stops."""
    async with BlockingPortal() as portal:
        try:
            yield portal
        finally:
            await portal.stop(cancel_remaining=True)
