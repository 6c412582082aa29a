"""One question to a model, which never raises because of the model, and is paid for only once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

from langchain_core.messages import BaseMessage

from ..errors import Failure, Re2llmError
from ..knowledge.llm_calls import LlmCall
from ..llm.answered import Answered
from ..llm.endpoint import Endpoint
from ..llm.failures import ModelFailedError
from ..llm.prices import Bill, estimated_tokens, prompt_key
from ..llm.structured import AnswerFormat
from ..llm.usage import NOTHING, Usage
from .allowance import Claims
from .ledger import book, charge, known_answer, ledger_entry
from .options import RunOptions
from .questions import Question

Purpose = Literal["rank", "rate", "trace", "repair", "reflect", "compare"]
"""What a question is for. The last two go to the reflecting model."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from the model.

    Attributes:
        text: Its answer; empty if the call failed.
        failed: Whether the call failed.
        latency_ms: Wall-clock milliseconds, retries and pauses included.
        tokens_in: Prompt tokens, 0 where the model does not count them.
        tokens_out: Answer tokens, likewise.
        tokens_cached: Prompt tokens that the provider had in its cache.
        calls: Requests made, retries included; 0 for an answer that was paid for before.
        failure: The kind of failure; empty if there was none.
        said: The provider's own words about it, for whoever runs the model; else empty.
        shortened: Whether a shorter prompt was asked than the first.
    """

    text: str
    failed: bool
    latency_ms: float
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    calls: int = 1
    failure: str = ""
    said: str = ""
    shortened: bool = False


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
    model = options.reflect_model if reflects else options.model
    endpoint = await options.services.models.endpoint(model, reflects=reflects)
    length = sum(len(message.text) for message in messages)
    latency, calls = 0.0, 0
    if shorter is None or endpoint.too_long is None or length < endpoint.too_long:
        first = await _ask(messages, options, purpose, endpoint, answer_format, until)
        if first.failure != Failure.TOO_LONG:
            return first
        endpoint.too_long = min(length, endpoint.too_long or length)
        if shorter is None:
            return first
        latency, calls = first.latency_ms, first.calls
    second = await _ask(shorter(), options, purpose, endpoint, answer_format, until)
    return replace(
        second, latency_ms=latency + second.latency_ms, calls=calls + second.calls, shortened=True
    )


async def _ask(
    messages: Sequence[BaseMessage],
    options: RunOptions,
    purpose: Purpose,
    endpoint: Endpoint,
    answer_format: AnswerFormat | None,
    until: float | None,
) -> Reply:
    model = endpoint.name
    ends = time.time() + options.settings.deadline if until is None else until
    question = _Question(model, endpoint, messages, options, answer_format)
    started = time.perf_counter()
    if question.free:
        return await question.put(ends)
    key = prompt_key(model, endpoint.server, messages)
    if options.questions is not None:
        options.questions.add(Question(key, messages, answer_format))
        return Reply("", failed=True, latency_ms=0.0, calls=0, failure=Failure.BUSY.value)
    may_know = keeps_answers(endpoint, options)
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(max(0.0, ends - time.time())):
                known = await known_answer(options, key) if may_know else None
                # Answers that are not kept are all wanted, so samples of a prompt need not wait.
                if known is None and may_know:
                    mine = options.owner.encode(errors="replace") + key
                    await held.enter_async_context(options.services.one_at_a_time(mine))
                    await held.enter_async_context(_alone(options, key, ends))
                    # Others who asked the same meanwhile have paid for it.
                    known = await known_answer(options, key)
        except TimeoutError:
            waited = _since(started)
            return Reply("", failed=True, latency_ms=waited, calls=0, failure=Failure.BUSY.value)
        if known is not None:
            return Reply(known, failed=False, latency_ms=_since(started), calls=0)
        try:
            reply = await question.put(ends)
        except (asyncio.CancelledError, Re2llmError) as error:
            # What was sent until then is paid, whether or not the caller still waits.
            kind = error.kind if isinstance(error, Re2llmError) else "cancelled"
            lost = Reply("", failed=True, latency_ms=_since(started), failure=kind)
            if question.sent:
                question.charge_lost(in_flight=kind == "cancelled")
                await asyncio.shield(question.book(key, purpose, lost, keep=False))
            raise
        await question.book(key, purpose, reply, keep=may_know)
    return reply


def keeps_answers(endpoint: Endpoint, options: RunOptions) -> bool:
    """Whether the same prompt may be answered from the database."""
    settings = options.settings
    return endpoint.cacheable and settings.call_cache and not settings.temperature


def _alone(options: RunOptions, key: bytes, ends: float) -> AbstractAsyncContextManager[None]:
    """Keep other processes from paying at the same time, where a budget counts what is paid."""
    if options.budget is None:
        return nullcontext()
    return options.services.locks.prompt(key, ends - time.time())


class _Question:
    """A question on its way.

    Args:
        model: The model's name.
        endpoint: The model.
        messages: The prompt.
        options: The run's options.
        answer_format: The answer's form.
    """

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        messages: Sequence[BaseMessage],
        options: RunOptions,
        answer_format: AnswerFormat | None,
    ) -> None:
        self._model = model
        self._endpoint = endpoint
        self._messages = messages
        self._options = options
        self._answer_format = answer_format
        self._claims = Claims(options, model, messages)
        # With a price, the offline model is charged like any other, to rehearse a budget.
        self.free = endpoint.local and model not in options.settings.prices
        self._answered: Answered | None = None
        self._usage = NOTHING
        self._bill = Bill()

    @property
    def sent(self) -> int:
        """Requests so far."""
        return self._claims.made

    async def put(self, ends: float) -> Reply:
        """Ask, and count what it cost."""
        started = time.perf_counter()
        budget = self._options.budget
        in_job = budget is not None and budget.job is not None and not self.free
        slots = self._options.settings.model_concurrency if in_job else 0
        try:
            async with self._options.services.locks.slot(self._model, slots):
                if in_job:  # it has waited for its turn, not for the model
                    ends = max(ends, time.time() + self._options.settings.deadline)
                self._answered = await self._endpoint.answer(
                    self._messages,
                    answer_format=self._answer_format,
                    within=ends - time.time(),
                    on_attempt=self._claims.free if self.free else self._claims.claim,
                    on_lost=self._claims.lose,
                    owner=self._options.owner,
                )
        except ModelFailedError as error:
            self.charge_lost()
            return Reply(
                "",
                failed=True,
                latency_ms=_since(started),
                calls=self.sent,
                failure=error.failure.value,
                # A program with an API key is not who runs the model: the log has the words.
                said=error.said if self._options.caller is None else "",
            )
        usage = self._counted(self._answered)
        self._usage = usage + self._claims.lost
        self._bill = charge(self._options, self._model, self._usage)
        return Reply(
            self._answered.text,
            failed=False,
            latency_ms=_since(started),
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cached=usage.tokens_cached,
            calls=self.sent,
        )

    def charge_lost(self, *, in_flight: bool = False) -> None:
        """Charge what requests may cost that brought no answer.

        Args:
            in_flight: Whether there is another one, whose answer is not waited for.
        """
        if in_flight:  # the provider goes on, and bills it
            self._claims.lose()
        self._usage = self._claims.lost
        self._bill = charge(self._options, self._model, self._usage)

    async def book(self, key: bytes, purpose: Purpose, reply: Reply, *, keep: bool) -> None:
        """Enter the question into the ledger.

        Args:
            keep: Whether an answer of the right form may serve again.
        """
        entry = self._entry(key, purpose, reply, keep=keep)
        claims = self._claims
        await book(self._options, entry, reserved=claims.reserved, days=claims.days)

    def _entry(self, key: bytes, purpose: Purpose, reply: Reply, *, keep: bool) -> LlmCall:
        answered = self._answered
        fits = answered is not None and answered.fits and bool(reply.text.strip())
        return ledger_entry(
            self._options,
            key=key,
            purpose=purpose,
            model=self._model,
            method=answered.method if answered else "",
            outcome=reply.failure or ("ok" if fits else "misshapen"),
            usage=self._usage,
            bill=self._bill,
            requests=self.sent,
            latency_ms=reply.latency_ms,
            answer=reply.text if keep and fits else None,
        )

    def _counted(self, answered: Answered) -> Usage:
        if answered.usage is not None:
            return answered.usage
        if self.free:
            return NOTHING
        prompt = (message.text for message in self._messages)
        return Usage(estimated_tokens(*prompt), estimated_tokens(answered.text), estimated=True)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
