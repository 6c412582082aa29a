"""What the run's API key may spend: claimed before each paid call, settled with its booking."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from sqlalchemy.exc import SQLAlchemyError

from ..errors import InputError, LimitReachedError
from ..knowledge.allowances import Limit, claim_call, next_day
from ..knowledge.engine import unreachable
from ..llm.prices import call_cost, estimated_tokens
from .caller import Caller
from .options import RunOptions

ANSWER_TOKENS = 500
"""Of an answer, where no setting limits it."""


class Claims:
    """The requests that one question has claimed, from the run's budget and from its key.

    Args:
        options: The run's options.
        model: That is asked.
        messages: The prompt.

    Attributes:
        made: Requests so far.
        reserved: What they may cost, set aside from the key's allowance.
    """

    def __init__(self, options: RunOptions, model: str, messages: Sequence[BaseMessage]) -> None:
        self.made = 0
        self.reserved = 0.0
        self._options = options
        self._model = model
        self._messages = messages

    async def claim(self) -> None:
        """Claim one request before it is sent.

        Raises:
            BudgetSpentError: It would exceed the budget, or what the key was given.
            InputError: The key has a limit of cost, and the model has no price.
            DatabaseError: The key's use cannot be counted.
        """
        if self._options.caller is not None:
            await self._claim_from(self._options.caller)
        if self._options.budget is not None:
            self._options.budget.claim_call()
        self.made += 1

    async def free(self) -> None:
        """Count a request that costs nothing."""
        if self._options.budget is not None:
            self._options.budget.claim_call()
        self.made += 1

    async def _claim_from(self, caller: Caller) -> None:
        engine = self._options.services.engine
        try:
            async with (
                asyncio.timeout(self._options.settings.database_timeout),
                engine.begin() as connection,
            ):
                reserved = await claim_call(
                    connection, caller.key_id, caller.grants, self._estimate(caller)
                )
        except (OSError, SQLAlchemyError) as error:  # a `TimeoutError` is an `OSError`
            raise unreachable(engine, error) from error
        if isinstance(reserved, str):
            raise _spent(caller, reserved)
        self.reserved += reserved

    def _estimate(self, caller: Caller) -> float:
        if caller.grants.usd_per_day is None:
            return 0.0
        settings = self._options.settings
        tokens_in = estimated_tokens(*(message.text for message in self._messages))
        tokens_out = settings.max_answer_tokens or ANSWER_TOKENS
        cost = call_cost(settings.prices, self._model, tokens_in, tokens_out)
        if cost is None:
            raise InputError(
                "usd_per_day",
                f"The cost of {self._model!r} cannot be limited: it has no price.",
                "Set RE2LLM_PRICES on the server.",
            )
        return cost


def _spent(caller: Caller, limit: Limit) -> LimitReachedError:
    allowed = getattr(caller.grants, limit)
    unit = "model calls" if limit == "calls_per_day" else "USD, with what calls in flight may cost"
    return LimitReachedError(
        limit,
        f"This key has used its {allowed:,} {unit}, of today.",
        f"It can go on at {next_day():%Y-%m-%d %H:%M} UTC.",
    )
