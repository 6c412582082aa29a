"""Shares the reads and groups the writes that many tasks make at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

_Value = TypeVar("_Value")
_Row = TypeVar("_Row")

_MOST = 100
"""Most rows to write in one go."""


class SharedReads:
    """Tasks that want the same value share one read, which begins after each of them has asked.

    So no answer is older than the question, however many share it.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}
        self._turns = WeakValueDictionary[Hashable, asyncio.Lock]()
        self._tasks = set[asyncio.Task[Any]]()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[_Value]]) -> _Value:
        """Return what a read returns, or raise what it raises.

        Args:
            key: The key of the value; reads of the same key must mean the same.
        """
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = _kept(self._tasks, self._next(key, read))
        # The one that is cancelled must not take it from the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel the reads under way, and wait until each has cleaned up after itself."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self, key: Hashable, read: Callable[[], Awaitable[_Value]]) -> _Value:
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            del self._waiting[key]  # who asks from now on needs a newer one
            return await read()


class GroupedWrites(Generic[_Row]):
    """Rows that tasks hand in while others are being written go out together, as the next ones."""

    def __init__(
        self,
        write: Callable[[Sequence[_Row]], Awaitable[None]],
        faults: tuple[type[Exception], ...],
    ) -> None:
        """Write through a function.

        Args:
            write: Stores all rows or none.
            faults: What it raises where one of the rows is to blame.
        """
        self._write = write
        self._faults = faults
        self._turn = asyncio.Lock()
        self._rows: list[_Row] = []
        self._waiting: asyncio.Task[None] | None = None
        self._tasks = set[asyncio.Task[Any]]()

    async def add(self, row: _Row) -> None:
        """Return once the row is written, or raise why it cannot be.

        A faulty row does no harm to those that it went out with.
        """
        if self._waiting is None or len(self._rows) >= _MOST:
            self._rows = []
            self._waiting = _kept(self._tasks, self._next(self._rows))
        rows, task = self._rows, self._waiting
        rows.append(row)
        try:
            await asyncio.shield(task)
        except self._faults:
            if len(rows) == 1:
                raise
            await self._write([row])

    async def _next(self, rows: list[_Row]) -> None:
        async with self._turn:
            if rows is self._rows:
                self._waiting = None
            await self._write(rows)


def _kept(tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, _Value]) -> asyncio.Task[_Value]:
    """Start a task that the event loop alone would not keep."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(_seen)
    return task


def _seen(task: asyncio.Task[Any]) -> None:
    """Look at its error: those who waited for it may be gone."""
    if not task.cancelled():
        task.exception()
