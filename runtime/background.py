"""Background jobs: one at a time, stopped when their services close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context

from ..errors import InputError

_log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]


class Background:
    """Runs jobs one after the other on the running event loop. The sender never waits."""

    def __init__(self) -> None:
        self._waiting: dict[str, Job] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def send(self, name: str, job: Job) -> None:
        """Run a job soon.

        Args:
            name: A job that still waits is replaced by the next one of the same name.
        """
        if self._closed:
            return
        self._waiting[name] = job
        if self._task is None or self._task.done():
            # An empty context: a job belongs to no request, so it gets neither the user nor the
            # callbacks of the run that sent it.
            self._task = asyncio.create_task(self._run(), context=Context())

    async def idle(self) -> None:
        """Wait until every job is done."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Cancel the running job, drop those that wait, and take no more."""
        self._closed = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._waiting:
            name = next(iter(self._waiting))
            job = self._waiting.pop(name)
            try:
                await job()
            except InputError as error:  # such as a domain that was deleted meanwhile
                _log.warning("%s ended: %s", name, error)
            except Exception:  # noqa: BLE001  # one failed job must not stop the next
                _log.exception("%s failed", name)
