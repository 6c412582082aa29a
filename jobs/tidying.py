"""Tidying hints as a job of one piece: each round decides on which hints the next one tries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import error_from
from ..operations.tidy_hints import tidy_hints
from ..runtime.options import RunOptions
from .kinds import Arguments, Finished, Plan, Work


class Tidy:
    """Merges hints that say the same, and retires what harms or brings nothing."""

    reflects = False

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Take no arguments."""
        del options, arguments
        return {}

    async def plan(self, work: Work) -> Plan:
        """Leave all to the last step."""
        del work
        return Plan([])

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Do nothing: there are no pieces."""
        del work, piece
        return {}

    async def finish(self, work: Work) -> Finished:
        """Tidy."""
        tidied = await tidy_hints(work.context)
        stopped = None if tidied.stopped is None else error_from(tidied.stopped)
        return Finished(tidied.model_dump(), stopped)
