"""A circuit breaker, so that a dead model makes few requests wait and not all."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after failures in a row; then one attempt at a time shows whether the model is back.

    Args:
        failures: Failures in a row after which it opens.
        pause: Seconds for which it then lets nothing through.
        clock: Monotonic seconds.
    """

    def __init__(
        self, failures: int, pause: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = failures
        self._pause = pause
        self._clock = clock
        self._failed = 0
        self._closed_until = 0.0

    @property
    def open(self) -> bool:
        """Whether the model is taken for dead."""
        return self._failed >= self._most

    @property
    def wait(self) -> float:
        """Seconds until the next attempt may be made; 0 if one may be made now."""
        return max(0.0, self._closed_until - self._clock()) if self.open else 0.0

    def allow(self) -> bool:
        """Whether an attempt may be made now. Of an open breaker, one is a probe."""
        if not self.open:
            return True
        if self.wait > 0:
            return False
        # The others stay away until the probe has come back or has taken too long.
        self._closed_until = self._clock() + self._pause
        return True

    def unused(self) -> None:
        """Note that an attempt that `allow` let through was not made, so that another may be."""
        if self.open:
            self._closed_until = self._clock()

    def succeeded(self) -> None:
        """Note an answer."""
        self._failed = 0

    def failed(self) -> None:
        """Note an attempt without an answer."""
        self._failed += 1
        if self.open:
            self._closed_until = self._clock() + self._pause
