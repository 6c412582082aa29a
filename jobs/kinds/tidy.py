"""Tidying hints as a job of one piece: each round decides on which hints the next one tries."""

from __future__ import annotations

from typing import Any

from ...errors import error_from
from ...operations.hints.tidy import tidy_hints
from ...runtime.options import RunOptions
from .base import Arguments, Finished, Undivided, Work


class Tidy(Undivided):
    """Merges hints that say the same, and retires what harms or does not help."""

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Take no arguments."""
        del options, arguments
        return {}

    async def finish(self, work: Work) -> Finished:
        """Tidy."""
        tidied = await tidy_hints(work.context)
        stopped = None if tidied.stopped is None else error_from(tidied.stopped)
        return Finished(tidied.model_dump(), stopped)
