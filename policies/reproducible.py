"""Training that gives the same bits again, whatever ran before."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible() -> Generator[None]:
    """Compute in one thread, and restore torch's random state afterwards."""
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        # For a small network, waking other threads is slower. Those that already run, such as a
        # text encoder's, keep their setting.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
