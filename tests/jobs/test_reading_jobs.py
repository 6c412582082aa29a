"""What is read of a job, whose sessions may be megabytes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from re2llm.data.sample import simulate_sessions
from re2llm.jobs.kinds.base import Work
from re2llm.jobs.kinds.evaluate import Evaluate
from re2llm.jobs.queue.control import pause, resume
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.worker import pieces
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import event


async def test_the_sessions_of_a_job_are_read_once_for_all_its_pieces(
    loaded: Callable[..., Any], services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = await loaded(4)
    context = Context(domain=domain)
    sessions = [one for one in simulate_sessions(4, seed=8) if one.target]
    given = {"sessions": sessions, "policies": ["none"], "baselines": []}
    made = await submit(context, "evaluate", given)
    seen: list[Any] = []

    async def do(_: Evaluate, work: Work, piece: int) -> Any:
        seen.append(work.arguments["sessions"][piece]["target"])
        return {}

    monkeypatch.setattr(Evaluate, "do", do)
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *rest: Any) -> None:
        if "job.arguments" in statement.partition("FROM")[0]:
            asked.append(statement)

    event.listen(services.engine.sync_engine, "before_cursor_execute", note)
    try:
        every = range(len(sessions))
        done = await asyncio.gather(*(pieces.do_piece(made.id, 1, {}, at) for at in every))
        assert done == [{"counts": {}}] * len(sessions)
        assert sorted(seen) == sorted(one.target for one in sessions)
        assert len(asked) == 1
        assert "sessions" not in (await pause(context, made.id)).whole()["arguments"]
        assert await pieces.do_piece(made.id, 1, {}, 0) == {"over": True}
        await resume(context, made.id)
        assert await pieces.do_piece(made.id, 1, {}, 0) == {"over": True}
        assert await pieces.do_piece(made.id, 2, {}, 0) == {"counts": {}}
    finally:
        event.remove(services.engine.sync_engine, "before_cursor_execute", note)
