"""Asks a model: never raises because of the model, and pays for each answer only once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import replace

from langchain_core.messages import BaseMessage

from ..errors import Failure
from ..knowledge.log.llm_calls import PaidAnswer
from ..llm.client.endpoint import Endpoint
from ..llm.structured import AnswerFormat
from .ledger import known_answer
from .options import RunOptions
from .paid_question import PaidQuestion
from .questions import Question
from .reply import Purpose, Reply, milliseconds_since, no_reply, served_again


async def ask(
    messages: Sequence[BaseMessage],
    options: RunOptions,
    purpose: Purpose = "rank",
    *,
    answer_format: AnswerFormat | None = None,
    until: float | None = None,
    shorter: Callable[[], Sequence[BaseMessage]] | None = None,
) -> Reply:
    """Ask a model of the run.

    Args:
        messages: The prompt.
        options: The run's options.
        purpose: What the question is for; it decides which model is asked.
        answer_format: The answer's form, or `None` for free text.
        until: When the request must be answered, in seconds since 1970, whatever it waits for;
            `None` gives it the setting `deadline` from now.
        shorter: Writes the same prompt with less in it; asked once if the first is too long for
            the model, and at once if a prompt of that length has been before.

    Raises:
        InputError: The model's name or key cannot be used at all.
        BudgetSpentError: The budget allows no further call.
    """
    reflects = purpose in {"reflect", "compare"}
    models = options.services.models
    endpoint = await (
        models.endpoint(options.reflect_model, reflects=True, option=options.reflecting_option)
        if reflects
        else models.endpoint(options.model)
    )

    async def answer(prompt: Sequence[BaseMessage]) -> Reply:
        question = PaidQuestion(endpoint, prompt, options, purpose, answer_format)
        return await _answer(question, options, until)

    length = sum(len(message.text) for message in messages)
    latency, calls = 0.0, 0
    if shorter is None or endpoint.too_long is None or length < endpoint.too_long:
        first = await answer(messages)
        if first.failure != Failure.TOO_LONG:
            return first
        endpoint.too_long = min(length, endpoint.too_long or length)
        if shorter is None:
            return first
        latency, calls = first.latency_ms, first.calls
    second = await answer(shorter())
    return replace(
        second, latency_ms=latency + second.latency_ms, calls=calls + second.calls, shortened=True
    )


def keeps_answers(endpoint: Endpoint, options: RunOptions) -> bool:
    """Return whether the same prompt may be answered from the database."""
    settings = options.settings
    return endpoint.cacheable and settings.call_cache and not settings.temperature


async def _answer(question: PaidQuestion, options: RunOptions, until: float | None) -> Reply:
    ends = time.time() + options.settings.deadline if until is None else until
    if question.free:
        return await question.put(ends, keep=False)
    if options.questions is not None:
        options.questions.add(Question(question.key, question.messages, question.answer_format))
        return no_reply(Failure.BUSY.value)
    started = time.perf_counter()
    # If answers are not kept, several samples of one prompt are wanted: none waits for another.
    keep = keeps_answers(question.endpoint, options)
    async with AsyncExitStack() as locks:
        try:
            async with asyncio.timeout(max(0.0, ends - time.time())):
                known = await _known_or_locked(question, options, ends, locks) if keep else None
        except TimeoutError:
            return no_reply(Failure.BUSY.value, milliseconds_since(started))
        if known is not None:
            return served_again(known, milliseconds_since(started))
        return await question.put(ends, keep=keep)


async def _known_or_locked(
    question: PaidQuestion, options: RunOptions, ends: float, locks: AsyncExitStack
) -> PaidAnswer | None:
    """Return a stored answer; or else `None`, once no one else may pay for the same question."""
    known = await known_answer(options, question.key)
    if known is not None:
        return known
    mine = options.owner.encode(errors="replace") + question.key
    await locks.enter_async_context(options.services.one_at_a_time(mine))
    await locks.enter_async_context(_alone(options, question.key, ends))
    # The last holder of the locks may have paid for it.
    return await known_answer(options, question.key)


def _alone(options: RunOptions, key: bytes, ends: float) -> AbstractAsyncContextManager[None]:
    """Keep other processes from paying at the same time, where a budget counts what is paid."""
    if options.budget is None:
        return nullcontext()
    return options.services.locks.prompt(key, ends - time.time())
