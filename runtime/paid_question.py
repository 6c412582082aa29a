"""One question to one model: asked, charged to every budget, and booked in the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property

from langchain_core.messages import BaseMessage

from ..knowledge.log.llm_calls import LlmCall
from ..llm.client.answer import Answered
from ..llm.client.endpoint import Endpoint
from ..llm.errors.failures import ModelFailedError
from ..llm.prices import Bill, estimated_tokens, prompt_key
from ..llm.structured import AnswerFormat
from ..llm.usage import NOTHING, Usage
from .allowance import Claims
from .ledger import book, charge, ledger_entry
from .options import RunOptions
from .reply import Purpose, Reply


class PaidQuestion:
    """One question to one model, with what it costs.

    Args:
        endpoint: The model.
        messages: The prompt.
        options: The run's options.
        purpose: What it is for.
        answer_format: The answer's form, or `None` for free text.

    Attributes:
        free: Whether it costs nothing; such a question is not booked.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        messages: Sequence[BaseMessage],
        options: RunOptions,
        purpose: Purpose,
        answer_format: AnswerFormat | None,
    ) -> None:
        self.endpoint = endpoint
        self.messages = messages
        self.answer_format = answer_format
        self._options = options
        self._purpose: Purpose = purpose
        self._claims = Claims(options, endpoint.name, messages)
        # With a price, the offline model is charged like any other, to rehearse a budget.
        self.free = endpoint.local and endpoint.name not in options.settings.prices
        self._answered: Answered | None = None
        self._usage = NOTHING
        self._bill = Bill()

    @cached_property
    def key(self) -> bytes:
        """What identifies the question: a digest of model, server and prompt."""
        return prompt_key(self.endpoint.name, self.endpoint.server, self.messages)

    @property
    def sent(self) -> int:
        """Requests so far."""
        return self._claims.made

    async def put(self, ends: float) -> Reply:
        """Ask, and count what it cost.

        Args:
            ends: When it must be answered, in seconds since 1970.

        Raises:
            BudgetSpentError: The budget allows no further call.
        """
        started = time.perf_counter()
        budget = self._options.budget
        in_job = budget is not None and budget.job is not None and not self.free
        slots = self._options.settings.model_concurrency if in_job else 0
        try:
            async with self._options.services.locks.slot(self.endpoint.name, slots):
                if in_job:  # it has waited for its turn, not for the model
                    ends = max(ends, time.time() + self._options.settings.deadline)
                self._answered = await self.endpoint.answer(
                    self.messages,
                    answer_format=self.answer_format,
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
                latency_ms=milliseconds_since(started),
                calls=self.sent,
                failure=error.failure.value,
                # A program with an API key is not who runs the model: the log has the words.
                said=error.said if self._options.caller is None else "",
            )
        usage = self._counted(self._answered)
        self._usage = usage + self._claims.lost
        self._bill = charge(self._options, self.endpoint.name, self._usage)
        return Reply(
            self._answered.text,
            failed=False,
            latency_ms=milliseconds_since(started),
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cached=usage.tokens_cached,
            calls=self.sent,
        )

    def charge_lost(self, *, in_flight: bool = False) -> None:
        """Charge what requests may cost that got no answer.

        Args:
            in_flight: Whether there is another one, whose answer is not waited for.
        """
        if in_flight:  # the provider goes on, and bills it
            self._claims.lose()
        self._usage = self._claims.lost
        self._bill = charge(self._options, self.endpoint.name, self._usage)

    async def book(self, reply: Reply, *, keep: bool) -> None:
        """Enter the question into the ledger.

        Args:
            reply: What came back.
            keep: Whether an answer of the right form may serve again.
        """
        entry = self._entry(reply, keep=keep)
        await book(self._options, entry, reserved=self._claims.reserved)

    def _entry(self, reply: Reply, *, keep: bool) -> LlmCall:
        answered = self._answered
        fits = answered is not None and answered.fits and bool(reply.text.strip())
        return ledger_entry(
            self._options,
            key=self.key,
            purpose=self._purpose,
            model=self.endpoint.name,
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
        prompt = (message.text for message in self.messages)
        return Usage(estimated_tokens(*prompt), estimated_tokens(answered.text), estimated=True)


def milliseconds_since(started: float) -> float:
    """Return the time since a reading of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000
