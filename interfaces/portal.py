"""An event loop in its own thread, for callers that have none."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context
from threading import Event, Lock, Thread, current_thread
from typing import Any, Generic, TypeVar

from anyio.from_thread import BlockingPortal

from ..forks import Inherited

_Result = TypeVar("_Result")
_Last = Callable[[], Awaitable[None]]
_LOOK_EVERY = 0.2
"""Seconds between two looks at whether a thread still lives that is to end its work."""


class Portal(Inherited):
    """Runs coroutines for synchronous callers; any number of threads may call at the same time.

    Its thread starts with the first call, and again in a forked process. A program that forgets to
    close it can still exit.

    Args:
        last: Closes on the loop what the coroutines have opened, after they have ended.
    """

    def __init__(self, last: _Last) -> None:
        super().__init__()
        self._last = last
        self._lock = Lock()
        self._thread: _Thread | None = None
        self._closed = False
        self._parents = list[object]()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The thread's event loop, if it has started."""
        return None if self._thread is None else self._thread.loop

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine to its end and return its result.

        If the caller's thread is interrupted, as by Ctrl-C, the coroutine is cancelled, and has
        ended before this raises; a second interruption does not wait for that.

        Args:
            work: Makes the coroutine.

        Raises:
            RuntimeError: The portal is closed, or this is its own thread.
            CancelledError: The portal was closed in the meantime.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("The portal is closed.")
            thread = self._thread = self._thread or _Thread(self._last)
        # An empty context: what a host's run carries in its context, such as its checkpointer,
        # belongs to the host's thread and loop.
        stoppable = _Stoppable(work)
        try:
            return Context().run(thread.portal.start_task_soon, stoppable).result()
        except BaseException:
            thread.stop(stoppable)
            raise

    def close(self) -> None:
        """Cancel what runs, close what it has opened, and end the thread."""
        with self._lock:
            thread, self._thread, self._closed = self._thread, None, True
        if thread is not None:
            thread.end()

    def forget_parent(self) -> None:
        """Start again in a forked process, in which the parent's thread does not run."""
        self._parents.append(self._thread)
        self._thread = None
        self._lock = Lock()


class _Stoppable(Generic[_Result]):
    """A coroutine that is cancelled as a task is: once, so that it can still clean up.

    Attributes:
        ended: Whether it has ended, or will not begin.
    """

    def __init__(self, work: Callable[[], Awaitable[_Result]]) -> None:
        self._work = work
        self._task: asyncio.Task[object] | None = None
        self._stopped = False
        self.ended = Event()

    async def __call__(self) -> _Result:
        if self._stopped:
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        try:
            return await self._work()
        finally:
            self.ended.set()

    def stop(self) -> None:
        """Cancel it, also if it has not begun; only on its event loop."""
        self._stopped = True
        if self._task is None:
            self.ended.set()
        elif not self.ended.is_set():
            self._task.cancel()


class _Thread:
    """A thread with an event loop, until it is ended.

    Attributes:
        loop: The event loop.
        portal: Takes work for it.
    """

    def __init__(self, last: _Last) -> None:
        started = Future[tuple[asyncio.AbstractEventLoop, BlockingPortal]]()
        self._ended = Future[None]()

        async def work() -> None:
            async with BlockingPortal() as portal:
                started.set_result((asyncio.get_running_loop(), portal))
                await portal.sleep_until_stopped()
            await last()

        def serve() -> None:
            try:
                asyncio.run(work())
                self._ended.set_result(None)
            except BaseException as error:  # noqa: BLE001  # the caller that waits raises it
                (self._ended if started.done() else started).set_exception(error)

        # A daemon: Python would wait for any other before it calls what is registered below.
        self._thread = Thread(target=serve, name="re2llm", daemon=True)
        self._thread.start()
        self.loop, self.portal = started.result()
        atexit.register(self.end)

    def stop(self, work: _Stoppable[Any]) -> None:
        """Cancel work that has not ended, and wait for its end; nobody waits on this thread."""
        if current_thread() is self._thread:
            return
        with suppress(RuntimeError):  # the loop has been closed
            self.loop.call_soon_threadsafe(work.stop)
        while self._thread.is_alive() and not work.ended.wait(_LOOK_EVERY):
            pass

    def end(self) -> None:
        """Cancel what runs, and wait for the thread to end; do nothing in a forked process."""
        atexit.unregister(self.end)
        if self._thread.is_alive():
            self.portal.call(self.portal.stop, True)  # noqa: FBT003  # as anyio has it
            self._ended.result()
            self._thread.join()
