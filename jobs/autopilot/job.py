"""A cycle of an autopilot as a job, so that it is seen, and goes on where a worker was killed."""

from __future__ import annotations

from typing import Any

from ...knowledge.autopilot.jobs import forget_waits
from ...operations.database import in_domain
from ...runtime.options import RunOptions, resolve_context
from ..kinds.base import Arguments, Finished, Undivided, Work
from .cycle import cycle
from .switch import unschedule


class AutopilotCycle(Undivided):
    """Looks at what is new, decides on the next step, and begins it."""

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Take no arguments."""
        del options, arguments
        return {}

    async def finish(self, work: Work) -> Finished:
        """Run the cycle, and drop earlier ones that did nothing but wait."""
        made = await cycle(work.context)
        if made.state == "off":  # its schedule was left behind
            await unschedule(work.context)
        options = await resolve_context(work.context)
        async with in_domain(options, write=True) as (connection, domain):
            await forget_waits(connection, domain.id)
        if made.decision is None:
            return Finished({"state": made.state, "action": "wait"})
        decided = made.decision
        return Finished(
            {
                "state": made.state,
                "action": decided.action.value,
                "reason": decided.reason,
                "words": decided.words,
                "job": made.job,
            }
        )
