"""Learning as a job: a piece is a training session, from its miss to its stored hints."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...operations.learning.learn import advice, learn, learn_session
from ...operations.learning.learner import Learner
from ...operations.learning.observe_picks import settle_picks
from ...operations.learning.sessions import sessions_to_learn_from
from ...operations.sessions.selection import selected_sessions
from ...runtime.budget import limited
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from .base import Arguments, Finished, Plan, Work


class Learn:
    """Learns hints from the misses on training sessions."""

    reflects = True

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Name the sessions of the files by their keys."""
        files = arguments.get("files")
        await sessions_to_learn_from(options, files or ())
        keys = await selected_sessions(options, files) if files else arguments.get("keys")
        return {
            "keys": keys,
            "max_hints": min(arguments.get("max_hints") or 30, options.settings.hints_max),
            "concurrency": arguments.get("concurrency"),
            "tidy": arguments.get("tidy", True),
            "misses": arguments.get("misses", {}),
        }

    async def plan(self, work: Work) -> Plan:
        """Take the sessions that were not learned from yet."""
        options = await resolve_context(work.context)
        keys, _ = await sessions_to_learn_from(options, keys=work.arguments["keys"])
        return Plan(await Learner(work.context, options).unsettled(keys))

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Learn from one session."""
        return await learn_session(_until_full(work), piece)

    async def finish(self, work: Work) -> Finished:
        """Sum up the hints' gains; retry the sessions that the model left unanswered."""
        learned = await learn(
            work.context,
            keys=work.arguments["keys"],
            max_hints=work.arguments["max_hints"],
            concurrency=work.arguments["concurrency"],
            tidy=work.arguments.get("tidy", True),
        )
        await _settle(work, learned.stopped is None)
        document = learned.as_dict()
        for name, count in work.counts.items():
            document[name] += count
        before = max(0, learned.sessions_before - work.counts["sessions"])
        document["sessions_before"] = before
        known = before + document["sessions"] + document["sessions_left"]
        document["advice"] = advice(document, known, before, hints=learned.hints)
        return Finished(document, learned.stopped)


async def _settle(work: Work, done: bool) -> None:
    """Note which misses that people showed need not be learned from again; the others wait."""
    misses: Mapping[str, int] = work.arguments.get("misses") or {}
    if not misses:
        return
    options = await resolve_context(work.context)
    left: set[int] = set()
    if not done:
        left = set(await Learner(work.context, options).unsettled(list(misses.values())))
    learned = [uuid.UUID(made) for made, key in misses.items() if key not in left]
    await settle_picks(options, learned)


def _until_full(work: Work) -> Context:
    budget = limited(work.context.budget, max_hints=work.arguments["max_hints"])
    return replace(work.context, budget=budget, command="learn")
