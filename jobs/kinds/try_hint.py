"""Trying a hint as a job: a piece is a training session, ranked with the hint and without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...operations.hints.try_hint import sessions_to_try, text_to_try, try_hint, try_on_session
from ...runtime.options import RunOptions, resolve_context
from .base import Arguments, Finished, Plan, Work


class TryHint:
    """Measures the gain of a hint, without deciding on it."""

    reflects = False

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Take the text of a stored hint, or a new one, and check that there are sessions."""
        number, count = arguments.get("hint"), int(arguments.get("count") or 40)
        text = await text_to_try(options, number or arguments.get("text") or "")
        await sessions_to_try(options, count)
        return {"hint": number, "text": text, "count": count, "concurrency": None}

    async def plan(self, work: Work) -> Plan:
        """Draw the sessions."""
        options = await resolve_context(work.context)
        return Plan(await sessions_to_try(options, work.arguments["count"]))

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Try it on one session."""
        await try_on_session(work.context, work.arguments["text"], piece)
        return {"trials": 1}

    async def finish(self, work: Work) -> Finished:
        """Sum up its gains."""
        tried = await try_hint(
            work.context, work.arguments["text"], sessions=work.arguments["count"]
        )
        return Finished(tried.model_dump(mode="json"))
