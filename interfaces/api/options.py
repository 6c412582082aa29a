"""How a server runs; imports nothing heavy, since each worker process reads it first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServeOptions:
    """How a server runs.

    Attributes:
        public: Whether other machines can reach it.
        drain_delay: Seconds from SIGTERM until it takes no more requests.
    """

    public: bool = False
    drain_delay: float = 0.0
