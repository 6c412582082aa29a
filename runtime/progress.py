"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how far each stage of some work is."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Take note of a stage's progress.

        Args:
            stage: What is being done, such as "learning".
            done: Steps that are done; 0 when the stage begins.
            total: Steps in all, or `None` where that is unknown.
        """
        ...


def silent(stage: str, done: int, total: int | None = None) -> None:
    """Take note of nothing."""
