"""A node never raises, whatever happens inside it."""

import json
import logging
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt
from langgraph.runtime import Runtime
from re2llm.errors import BudgetSpentError, DatabaseError, InputError
from re2llm.records import Flag
from re2llm.runtime.context import Context
from re2llm.runtime.node import node
from re2llm.runtime.services import Services
from sqlalchemy.exc import OperationalError

FAILURES = [
    (InputError("history", "It is empty.", "Send one."), "input"),
    (BudgetSpentError("--max-llm-calls", "All are made.", "Run again."), "budget"),
    (DatabaseError("RE2LLM_DATABASE_URL", "No answer.", "Is it up?"), "database"),
    (OperationalError("SELECT 1", {}, Exception("gone")), "database"),
    (ConnectionResetError("gone"), "database"),
    (ExceptionGroup("two", [InputError("k", "It is 0.", "Send 1.")]), "input"),
    (ZeroDivisionError("a secret"), "internal"),
    (KeyError("a secret"), "internal"),
]


async def run(error: BaseException) -> dict[str, Any]:
    @node
    async def work(state: Any, options: Any) -> dict[str, Any]:
        raise error

    return await work({}, Runtime(context=Context()))


@pytest.mark.parametrize(("error", "kind"), FAILURES, ids=lambda value: str(value)[:20])
async def test_every_failure_becomes_an_error(
    services: Services, error: Exception, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="re2llm.runtime.node"):
        update = await run(error)
    assert update["error"]["kind"] == kind
    assert set(update) == {"error"}
    json.dumps(update)
    traced = [record for record in caplog.records if record.exc_info]
    assert bool(traced) == (kind == "internal")
    assert "a secret" not in json.dumps(update)


async def test_an_interrupt_passes(services: Services) -> None:
    with pytest.raises(GraphInterrupt):
        await run(GraphInterrupt())


async def test_services_that_cannot_be_had_are_an_error_too() -> None:
    @node
    async def work(state: Any, options: Any) -> dict[str, Any]:
        return {}

    class Broken:
        async def get(self) -> None:
            raise RuntimeError

    update = await work({}, Runtime(context=Context(services=Broken())))
    assert update["error"] is None or update["error"]["kind"] in {"internal", "database"}


async def test_flags_leave_as_plain_text_and_an_old_error_goes(services: Services) -> None:
    @node
    async def work(state: Any, options: Any) -> dict[str, Any]:
        return {"flags": [Flag.COMPLETED]}

    update = await work({}, Runtime(context=Context()))
    assert update == {"error": None, "flags": ["completed"]}
    assert type(update["flags"][0]) is str
