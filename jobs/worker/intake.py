"""What a worker takes from the queues, and what it holds of them."""

from __future__ import annotations

import asyncio
from typing import Any

from dbos import Queue

from ..queue.dbos_client import JOBS, PIECES

_PATIENCE = 5.0
"""Seconds that workflows get to end when they are told to."""


class Intake:
    """Limits how many pieces and last steps this worker takes, and lets go of what it has.

    DBOS keeps one limit for all workers in the database, and machines differ.

    Args:
        instance: DBOS as it runs here.
        most: Pieces at the same time.
    """

    def __init__(self, instance: Any, most: int) -> None:
        self._instance: Any = instance
        self._most = most
        self._closed = set[str]()
        self._read = instance._sys_db.get_queue  # noqa: SLF001
        instance._sys_db.get_queue = self  # noqa: SLF001

    def __call__(self, name: str, **options: Any) -> Queue | None:
        """Stand in for DBOS's reader of a queue, which it asks before each look for work."""
        queue = self._read(name, **options)
        if queue is not None and (name == PIECES or not self._most):
            queue._worker_concurrency = self._most  # noqa: SLF001
            if not self._most:
                self._closed.add(name)
        return queue

    def close(self) -> None:
        """Take nothing more, once both queues have been read again."""
        self._most = 0

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken since `close`."""
        return {JOBS, PIECES} <= self._closed

    @property
    def pieces(self) -> int:
        """How many pieces are being done, or their outcomes noted."""
        return self._instance._active_workflows_set.count_for_queue(PIECES)  # noqa: SLF001

    async def drop(self) -> None:
        """End what runs here, without an outcome: others go on with it."""
        tasks: set[asyncio.Task[Any]] = set(self._instance._workflow_tasks)  # noqa: SLF001
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)
