"""Whether a file's rows run from the newest to the oldest, which orders those of the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

_Row = TypeVar("_Row")

_CLEARLY = 9
"""A file is newest first with more steps back than this for each forward: clocks may jump."""


class RowOrder:
    """Watches rows as they are read, and puts them in time order afterwards.

    In a file that is written newest first, of two rows of the same time the lower one came first.
    Each user's own rows are compared; if they tell nothing, all rows are, of whatever user.
    """

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._before: float | None = None
        self._own, self._any = _Steps(), _Steps()

    def see(self, user: str, time: float) -> None:
        """Take note of the file's next row."""
        self._own.count(self._last.get(user), time)
        self._any.count(self._before, time)
        self._last[user] = self._before = time

    def sorted(self, rows: Iterable[_Row], time: Callable[[_Row], float]) -> list[_Row]:
        """Return some rows, given in the order of the file, oldest first."""
        steps = self._own or self._any
        listed = list(rows)
        if steps.back > _CLEARLY * steps.forward:
            listed.reverse()
        return sorted(listed, key=time)


class _Steps:
    """How often a time lies before the one above it, and how often after it."""

    def __init__(self) -> None:
        self.back = self.forward = 0

    def count(self, before: float | None, time: float) -> None:
        if before is not None:
            self.back += time < before
            self.forward += time > before

    def __bool__(self) -> bool:
        return self.back + self.forward > 0
