"""Rolling releases out, for callers without an event loop."""

# Each method takes what its twin in `async_rollouts` describes.

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from ..operations.rollout_results import RolloutShown
from .async_rollouts import AsyncRollouts

_Result = TypeVar("_Result")


class Rollouts(AsyncRollouts):
    """What tries a release on live traffic."""

    @abstractmethod
    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine and return its result."""

    def start_canary(self, release: int, *, domain: str | None = None, **plan: Any) -> RolloutShown:
        """Wait for `astart_canary`."""
        return self.run(partial(self.astart_canary, release, domain=domain, **plan))

    def show_canary(self, *, domain: str | None = None, release: int | None = None) -> RolloutShown:
        """Wait for `ashow_canary`."""
        return self.run(partial(self.ashow_canary, domain=domain, release=release))

    def stop_canary(self, *, domain: str | None = None) -> RolloutShown:
        """Wait for `astop_canary`."""
        return self.run(partial(self.astop_canary, domain=domain))

    def promote_canary(self, *, domain: str | None = None) -> RolloutShown:
        """Wait for `apromote_canary`."""
        return self.run(partial(self.apromote_canary, domain=domain))
