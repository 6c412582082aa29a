"""Shares services within a process: one set an event loop, opened on first use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..forks import Inherited
from ..settings import get_settings
from .services import Services, open_services

_Loop = asyncio.AbstractEventLoop


class ServiceSet(Inherited):
    """Services for every event loop that asks, opened on first use and shared from then on.

    Those of a loop that has ended are given up when the next one opens its own: a program may call
    `asyncio.run` for each request.

    Args:
        open_one: Opens the services of the running event loop.
    """

    def __init__(self, open_one: Callable[[], Awaitable[Services]]) -> None:
        super().__init__()
        self._open_one = open_one
        self._opened: dict[_Loop, asyncio.Task[Services]] = {}
        self._parents = list[object]()

    @classmethod
    def of(cls, services: Services) -> ServiceSet:
        """Return a set of services that are open already, for their own event loop.

        Args:
            services: They are closed by what opened them.
        """

        async def ready() -> Services:
            return services

        return cls(ready)

    async def get(self) -> Services:
        """Return this event loop's services.

        Raises:
            DatabaseError: The database cannot be reached or started; the next call tries again.
        """
        loop = asyncio.get_running_loop()
        task = self._opened.get(loop)
        if task is None or (task.done() and _result(task) is None):
            task = self._opened[loop] = loop.create_task(self._open())
        # One run's cancellation must not cancel the opening that others wait for.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Close this event loop's services, if they are open."""
        task = self._opened.pop(asyncio.get_running_loop(), None)
        if task is None:
            return
        await asyncio.wait([task])
        if (services := _result(task)) is not None:
            await services.close()

    def forget_parent(self) -> None:
        """Open again in a forked process, and keep the parent's connections from being closed."""
        self._parents.append(self._opened)
        self._opened = {}

    async def _open(self) -> Services:
        for loop in [loop for loop in list(self._opened) if loop.is_closed()]:
            task = self._opened.pop(loop, None)  # unless another thread took it
            if task is not None and task.done() and (services := _result(task)) is not None:
                await services.abandon()
        return await self._open_one()


def _result(task: asyncio.Task[Services]) -> Services | None:
    """Return what a task that is done has opened, or `None` if it failed: who waited knows why."""
    return None if task.cancelled() or task.exception() is not None else task.result()


async def _open_from_environment() -> Services:
    return await open_services(await asyncio.to_thread(get_settings))


_shared = ServiceSet(_open_from_environment)


def shared_service_set() -> ServiceSet:
    """Return the services of every graph whose context has none of its own."""
    return _shared


async def shared_services() -> Services:
    """Return this event loop's services, as the settings describe them.

    Raises:
        DatabaseError: The database cannot be reached or started; the next call tries again.
    """
    return await _shared.get()


async def close_shared_services() -> None:
    """Close this event loop's shared services, if they are open."""
    await _shared.close()
