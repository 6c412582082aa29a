"""The autopilot, for callers without an event loop."""

# Each method takes what its twin in `async_autopilot` describes.

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from ..operations.autopilot_results import AutopilotShown
from .async_autopilot import AsyncAutopilot

_Result = TypeVar("_Result")


class Autopilot(AsyncAutopilot):
    """What learns by itself."""

    @abstractmethod
    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine and return its result."""

    def autopilot_on(
        self,
        *,
        usd_per_day: float | None = None,
        calls_per_day: int | None = None,
        domain: str | None = None,
        batch: int = 50,
        reference: int = 500,
        cron: str | None = None,
        **rollout: Any,
    ) -> AutopilotShown:
        """Wait for `aautopilot_on`."""
        return self.run(
            partial(
                self.aautopilot_on,
                usd_per_day=usd_per_day,
                calls_per_day=calls_per_day,
                domain=domain,
                batch=batch,
                reference=reference,
                cron=cron,
                **rollout,
            )
        )

    def autopilot_off(self, *, domain: str | None = None) -> AutopilotShown:
        """Wait for `aautopilot_off`."""
        return self.run(partial(self.aautopilot_off, domain=domain))

    def show_autopilot(self, *, domain: str | None = None) -> AutopilotShown:
        """Wait for `ashow_autopilot`."""
        return self.run(partial(self.ashow_autopilot, domain=domain))

    def resume_autopilot(self, *, domain: str | None = None) -> AutopilotShown:
        """Wait for `aresume_autopilot`."""
        return self.run(partial(self.aresume_autopilot, domain=domain))

    def run_autopilot_once(self, *, domain: str | None = None) -> AutopilotShown:
        """Wait for `arun_autopilot_once`."""
        return self.run(partial(self.arun_autopilot_once, domain=domain))
