"""A question is booked once, whatever comes of it and whoever still waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from re2llm.errors import Failure
from re2llm.knowledge.log.llm_calls import LlmCall
from re2llm.llm.errors.failures import ModelFailedError
from re2llm.runtime import ledger
from re2llm.runtime.chat_call import call_chat_model
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services


@pytest.mark.parametrize("outcome", ["ok", "rejected"])
async def test_a_caller_who_leaves_while_a_chat_call_is_booked_stops_nothing(
    services: Services, domain: str, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    booked: list[str] = []
    begun, going_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: object, made: LlmCall) -> None:
        begun.set()
        await going_on.wait()
        booked.append(made.outcome)
        done.set()

    async def ask(_: BaseChatModel, __: Sequence[BaseMessage]) -> AIMessage:
        if outcome != "ok":
            raise ModelFailedError(Failure(outcome))
        return AIMessage("Heat")

    monkeypatch.setattr(ledger, "book_call", slow)
    services.models.register(domain, FakeListChatModel(responses=["Heat"]))
    options = await resolve_context(Context(domain=domain, model=domain))
    asked = call_chat_model(options, [HumanMessage("A film?")], ask, until=time.monotonic() + 30)
    running = asyncio.create_task(asked)
    await asyncio.wait_for(begun.wait(), 30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    going_on.set()
    await asyncio.wait_for(done.wait(), 30)
    assert booked == [outcome]
