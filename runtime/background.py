"""Work that goes on beside the answers: one errand at a time, ended with its services."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context

_log = logging.getLogger(__name__)

Errand = Callable[[], Awaitable[None]]


class Background:
    """Runs errands one after the other on the present event loop.

    Whoever sends an errand never waits for it. An errand that waits already is not sent twice.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Errand] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def send(self, name: str, errand: Errand) -> None:
        """Have an errand run soon.

        Args:
            name: Two errands of one name are the same work: while one waits, it stands for both.
            errand: What to do. An error of it is logged and ends nothing else.
        """
        if self._closed:
            return
        self._waiting[name] = errand
        if self._task is None or self._task.done():
            # Whoever asks for it, an errand is nobody's request: it takes neither the run's user
            # nor its callbacks along.
            self._task = asyncio.create_task(self._run(), context=Context())

    async def idle(self) -> None:
        """Wait until every errand is done."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Stop what runs and drop what waits. Later errands are not taken."""
        self._closed = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            name = next(iter(self._waiting))
            errand = self._waiting.pop(name)
            try:
                await errand()
            except Exception:  # noqa: BLE001  # the next errand is another matter
                _log.exception("%s failed", name)
