"""How torch computes: with which threads, and whose randomness."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Generator[None]:
    """Let torch compute in the calling thread alone: waking others takes longer than a small net.

    Threads that are at work elsewhere, such as a text encoder's, keep theirs.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def reproducible() -> Generator[None]:
    """Give the caller's random state back afterwards, and compute in one thread as `one_thread`."""
    with torch.random.fork_rng(devices=[]), one_thread():  # pyright: ignore[reportUnknownMemberType]
        yield
