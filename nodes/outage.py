"""Long work that goes on through a model's outage, and gives up when it does not end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..errors import ModelDownError
from ..llm.failures import Failure
from .context import Call

_PROBES = 3
_Result = TypeVar("_Result")


class Outages:
    """Runs pieces of work side by side; what the model leaves unanswered is skipped and counted.

    Args:
        call: The run's options.
        at_once: Pieces at the same time, all of which one outage may hit.
        reflects: Whether the work asks the reflecting model, too.

    Attributes:
        skipped: Pieces that were left undone.
        last: Why the last of them was, if any.
    """

    def __init__(self, call: Call, at_once: int, *, reflects: bool = True) -> None:
        self.skipped = 0
        self.last: ModelDownError | None = None
        self._call = call
        self._reflects = reflects
        self._in_a_row = 0
        self._most = at_once + _PROBES
        self._probing = asyncio.Lock()

    async def survive(self, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        """Do a piece of work. While the model is taken for dead, one piece at a time tries it.

        Args:
            work: May raise `ModelDownError`.

        Returns:
            Its result, or `None` if the model gave no answer.

        Raises:
            ModelDownError: It has given none for long.
        """
        wait = await self._wait()
        if wait is None:
            return await self._counted(work)
        async with self._probing:
            self._give_up_if_dead()
            await asyncio.sleep(await self._wait() or 0.0)
            return await self._counted(work)

    async def _counted(self, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        try:
            result = await work()
        except ModelDownError as error:
            self.skipped += 1
            # That the model is left alone says less than why.
            if self.last is None or error.failure != Failure.CIRCUIT_OPEN:
                self.last = error
            self._in_a_row += 1
            self._give_up_if_dead()
            return None
        self._in_a_row = 0
        return result

    def _give_up_if_dead(self) -> None:
        if self.last is not None and self._in_a_row >= self._most:
            raise self.last from None

    async def _wait(self) -> float | None:
        """Return the seconds to leave the models alone, or `None` if they are well."""
        call = self._call
        endpoints = [await call.services.endpoint(call.model)]
        if self._reflects:
            endpoints.append(await call.services.endpoint(call.reflect_model, reflects=True))
        waits = [endpoint.breaker.wait for endpoint in endpoints if endpoint.breaker.open]
        return max(waits, default=None)
