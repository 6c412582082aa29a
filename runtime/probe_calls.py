"""The questions of `doctor`, limited and booked like any others where there is a database."""

from __future__ import annotations

import time
from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from ..llm.client.endpoint import Endpoint
from ..llm.prices import prompt_key
from ..llm.usage import Usage
from .allowance import Claims
from .ledger import book, charge, ledger_entry
from .options import RunOptions


class BookedQuestion:
    """One question on its way, from the budget to the ledger.

    Args:
        options: The run's options.
        endpoint: The model.
        messages: The prompt.
    """

    def __init__(
        self, options: RunOptions, endpoint: Endpoint, messages: Sequence[BaseMessage]
    ) -> None:
        self._options = options
        self._endpoint = endpoint
        self._messages = messages
        self._claims = Claims(options, endpoint.name, messages)
        self._started = time.perf_counter()

    async def claim(self) -> None:
        """Claim one request before it is sent, as `Claims` does."""
        await self._claims.claim()

    async def close(self, outcome: str, method: str, usage: Usage) -> None:
        """Enter the question into the ledger if anything was sent."""
        if not self._claims.made:
            return
        options, name = self._options, self._endpoint.name
        entry = ledger_entry(
            options,
            key=prompt_key(name, self._endpoint.server, self._messages),
            purpose="probe",
            model=name,
            method=method,
            outcome=outcome,
            usage=usage,
            bill=charge(options, name, usage),
            requests=self._claims.made,
            latency_ms=(time.perf_counter() - self._started) * 1000,
        )
        await book(options, entry, reserved=self._claims.reserved)


class UnbookedQuestion:
    """One question where there is no ledger."""

    async def claim(self) -> None:
        """Allow the request."""

    async def close(self, outcome: str, method: str, usage: Usage) -> None:
        """Forget the question."""
