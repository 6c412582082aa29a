"""Books one question to a model: what its requests may cost is claimed, what they cost is paid."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property

from langchain_core.messages import BaseMessage

from ..errors import Re2llmError
from ..knowledge.log.llm_calls import LlmCall
from ..llm.client.endpoint import Endpoint
from ..llm.prices import prompt_key
from ..llm.usage import NOTHING, Usage
from .allowance import Claims
from .ledger import book, charge
from .options import RunOptions
from .reply import milliseconds_since


class Booking(Claims):
    """One question on its way from the budgets to the ledger; asked at once, and closed once.

    The endpoint is given `claim` and `lose`.

    Args:
        options: The run's options.
        endpoint: The model.
        messages: The prompt.
        purpose: What the model is asked for.
        free: Whether it costs nothing; such a question is not entered into the ledger.
    """

    def __init__(
        self,
        options: RunOptions,
        endpoint: Endpoint,
        messages: Sequence[BaseMessage],
        purpose: str,
        *,
        free: bool = False,
    ) -> None:
        super().__init__(options, endpoint.name, messages, free=free)
        self._server = endpoint.server
        self._purpose = purpose
        self._started = time.perf_counter()

    @cached_property
    def latency_ms(self) -> float:
        """Milliseconds until this is first read, at its end; retries and pauses included."""
        return milliseconds_since(self._started)

    @asynccontextmanager
    async def closing_on_error(self) -> AsyncGenerator[None]:
        """Cover the asking, and close the question if that ends in an error.

        What was sent until then is paid, whether or not the caller still waits. A model's failure
        is an outcome like others, with which the caller closes the question.
        """
        try:
            yield
        except (asyncio.CancelledError, Re2llmError) as error:
            if self.made and not self._free:
                if isinstance(error, asyncio.CancelledError):
                    self.lose()  # the provider goes on, and bills it
                await self.close(error.kind if isinstance(error, Re2llmError) else "cancelled")
            raise

    async def close(
        self, outcome: str, method: str = "", usage: Usage = NOTHING, *, answer: str | None = None
    ) -> None:
        """Charge the run's budget, and enter the question into the ledger.

        Once begun, it is done even if the caller leaves.

        Args:
            outcome: `ok`, `misshapen`, or what failed.
            method: How the answer's form was asked for; empty if none came.
            usage: The answer's tokens, without those of lost requests.
            answer: Its text, if it may serve again.
        """
        options = self._options
        usage += self.lost
        bill = charge(options, self._model, usage)
        if self._free:
            return
        entry = LlmCall(
            key=prompt_key(self._model, self._server, self._messages),
            command=options.command,
            purpose=self._purpose,
            model=self._model,
            method=method,
            outcome=outcome,
            answer=answer,
            requests=self.made,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cached=usage.tokens_cached,
            estimated=usage.estimated,
            latency_ms=self.latency_ms,
            cost=bill.cost,
            saved=bill.saved,
            api_key_id=options.caller.key_id if options.caller else None,
        )
        await asyncio.shield(book(options, entry, reserved=self.reserved))
