"""How long work reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as each stage of some work advances."""

    def __call__(self, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """Take note of a stage's progress.

        Args:
            done: Steps that are done; 0 when the stage begins.
            total: Steps in all, or `None` if unknown.
            note: How the stage goes, such as "3 hints, 120 calls".
        """
        ...


def silent(stage: str, done: int, total: int | None = None, note: str = "") -> None:
    """Report nothing."""
