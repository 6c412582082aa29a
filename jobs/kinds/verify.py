"""Verifying hints as a job: a piece is a hint, tried until its sessions show its gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import error_from
from ...operations.hints.verify import (
    hints_to_verify,
    nothing_verified,
    try_on_its_panel,
    verify_hints,
)
from ...runtime.options import RunOptions
from .base import Arguments, Finished, Plan, Work


class Verify:
    """Tries stored hints on the current model, and decides on each."""

    reflects = False

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """List the hints that need trials, once and for all."""
        todo = await hints_to_verify(options, arguments.get("hints") or ())
        return {
            "hints": [hint.id for hint, _ in todo],
            "concurrency": arguments.get("concurrency"),
        }

    async def plan(self, work: Work) -> Plan:
        """Take all hints; those that need no more trials are done at once."""
        return Plan(work.arguments["hints"])

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Try one hint."""
        context = replace(work.context, command="verify")
        return {"trials": await try_on_its_panel(context, piece)}

    async def finish(self, work: Work) -> Finished:
        """Decide on every hint."""
        if not work.arguments["hints"]:
            return Finished((await nothing_verified(work.context)).model_dump())
        verified = await verify_hints(work.context, work.arguments["hints"])
        stopped = None if verified.stopped is None else error_from(verified.stopped)
        return Finished(verified.model_dump(), stopped)
