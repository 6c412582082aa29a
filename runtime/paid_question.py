"""One question to one model: asked, and paid for whatever comes back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property

from langchain_core.messages import AIMessage, BaseMessage

from ..llm.client.answer import Answered
from ..llm.client.endpoint import Endpoint
from ..llm.errors.failures import ModelFailedError
from ..llm.prices import prompt_key, usage_or_estimate
from ..llm.structured import AnswerFormat
from ..llm.usage import NOTHING
from .booking import Booking
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
        # With a price, the offline model is charged like any other, to rehearse a budget.
        self.free = endpoint.local and endpoint.name not in options.settings.prices

    @cached_property
    def key(self) -> bytes:
        """What identifies the question: a digest of model, server and prompt."""
        return prompt_key(self.endpoint.name, self.endpoint.server, self.messages)

    async def put(self, ends: float, *, keep: bool) -> Reply:
        """Ask, and book what it cost even if the caller no longer waits.

        Args:
            ends: When it must be answered, in seconds since 1970.
            keep: Whether an answer of the right form may serve again.

        Raises:
            BudgetSpentError: The budget allows no further call.
        """
        options = self._options
        booking = Booking(options, self.endpoint, self.messages, self._purpose, free=self.free)
        try:
            async with booking.closing_on_error():
                answered = await self._answered(ends, booking)
        except ModelFailedError as error:
            reply = Reply(
                "",
                failed=True,
                latency_ms=booking.latency_ms,
                calls=booking.made,
                failure=error.failure.value,
                # A program with an API key is not who runs the model: the log has the words.
                said=error.said if options.caller is None else "",
            )
            await booking.close(reply.failure)
            return reply
        usage = answered.usage
        if usage is None:
            message = AIMessage(answered.text)
            usage = NOTHING if self.free else usage_or_estimate(self.messages, message)
        reply = Reply(
            answered.text,
            failed=False,
            latency_ms=booking.latency_ms,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cached=usage.tokens_cached,
            calls=booking.made,
        )
        fits = answered.fits and bool(answered.text.strip())
        await booking.close(
            "ok" if fits else "misshapen",
            answered.method,
            usage,
            answer=answered.text if keep and fits else None,
        )
        return reply

    async def _answered(self, ends: float, booking: Booking) -> Answered:
        settings, budget = self._options.settings, self._options.budget
        in_job = budget is not None and budget.job is not None and not self.free
        slots = settings.model_concurrency if in_job else 0
        async with self._options.services.locks.slot(self.endpoint.name, slots):
            if in_job:  # it has waited for its turn, not for the model
                ends = max(ends, time.time() + settings.deadline)
            return await self.endpoint.answer(
                self.messages,
                answer_format=self.answer_format,
                within=ends - time.time(),
                on_attempt=booking.claim,
                on_lost=booking.lose,
                owner=self._options.owner,
            )
