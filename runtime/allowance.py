"""What the run's API key or job may spend: claimed before each call, settled with its booking."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from langchain_core.messages import BaseMessage
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import BudgetSpentError, InputError, LimitReachedError
from ..knowledge.access.allowances import Limit, claim_call, next_day
from ..knowledge.engine import unreachable
from ..knowledge.job_budgets import JobLimit, claim_job_call, next_start
from ..llm.prices import call_cost, prompt_tokens
from ..llm.usage import NOTHING, Usage
from .caller import Caller
from .ledger import Reserved
from .options import RunOptions

ANSWER_TOKENS = 500
"""Tokens of a usual answer, and of any answer if no setting limits it."""


def presumed_usage(options: RunOptions, messages: Sequence[BaseMessage]) -> Usage:
    """Return what a request may use; so much is charged if its answer was not waited for."""
    tokens_in = prompt_tokens(messages)
    return Usage(tokens_in, options.settings.max_answer_tokens or ANSWER_TOKENS, estimated=True)


class Claims:
    """The requests that one question has claimed, from the run's budget and from its key.

    Args:
        options: The run's options.
        model: Name of the model.
        messages: The prompt.
        free: Whether a request costs nothing; only budgets of calls, and jobs, count it then.

    Attributes:
        made: Requests so far.
        reserved: What they may cost, until they are booked.
        lost: Tokens of those that may be billed without an answer.
    """

    def __init__(
        self,
        options: RunOptions,
        model: str,
        messages: Sequence[BaseMessage],
        *,
        free: bool = False,
    ) -> None:
        self.made = 0
        self.reserved = Reserved()
        self.lost = NOTHING
        self._options = options
        self._model = model
        self._messages = messages
        self._free = free

    async def claim(self) -> None:
        """Claim one request before it is sent.

        Raises:
            BudgetSpentError: It would exceed the budget, or what the key or the job was given.
            InputError: The key or the job has a limit of cost, and the model has no price.
            DatabaseError: The use cannot be counted.
        """
        budget = self._options.budget
        job = None if budget is None else budget.job
        if job is not None and not self._free:
            # Before anything is claimed: a caller that is cancelled while it waits books nothing.
            await self._wait_for_turn()
        if self._options.caller is not None and not self._free:
            await self._claim_from(self._options.caller)
        if job is not None:
            await self._claim_from_job(job)
        if budget is not None:
            budget.claim_call()
        self.made += 1

    def lose(self, usage: Usage | None = None) -> None:
        """Note a request that may be billed although it got no answer.

        Args:
            usage: Its tokens; `None` presumes some.
        """
        self.lost += usage or presumed_usage(self._options, self._messages)

    async def _claim_from(self, caller: Caller) -> None:
        estimate, least = self._estimates(caller)
        async with self._counting() as connection:
            claim = await claim_call(connection, caller.key_id, caller.grants, estimate, least)
            again = await next_day(connection) if isinstance(claim, str) else None
        if isinstance(claim, str):
            raise _spent(caller, claim, again)
        self.reserved.of_key[claim.day] += claim.reserved

    async def _claim_from_job(self, job: str) -> None:
        costs = (0.0, None) if self._free else (self._cost(), self._cost(ANSWER_TOKENS))
        async with self._counting() as connection:
            claim = await claim_job_call(connection, job, *costs, free=self._free)
        if claim == "price":
            raise _priceless("max_cost", self._model)
        if isinstance(claim, str):
            raise _job_over(job, claim)
        self.reserved.of_job += claim.reserved
        if claim.day is not None:
            self.reserved.of_autopilot[claim.day] += claim.reserved

    async def _wait_for_turn(self) -> None:
        """Keep the model's pace over all workers; `Limits` keeps that of this process."""
        rate = self._options.settings.model_rate
        if rate is None:
            return
        async with self._counting() as connection:
            wait = await next_start(connection, self._model, rate)
        await asyncio.sleep(wait)

    @asynccontextmanager
    async def _counting(self) -> AsyncGenerator[AsyncConnection]:
        engine = self._options.services.engine
        try:
            async with (
                asyncio.timeout(self._options.settings.database_timeout),
                engine.begin() as connection,
            ):
                yield connection
        except (OSError, SQLAlchemyError) as error:  # a `TimeoutError` is an `OSError`
            raise unreachable(engine, error) from error

    def _cost(self, most_out: int | None = None) -> float | None:
        """Return what one request may cost, or `None` if the model has no price.

        Args:
            most_out: Tokens of an answer, at most; `None` for what is presumed.
        """
        prices, usage = self._options.settings.prices, presumed_usage(self._options, self._messages)
        out = usage.tokens_out if most_out is None else min(usage.tokens_out, most_out)
        return call_cost(prices, self._model, usage.tokens_in, out)

    def _estimates(self, caller: Caller) -> tuple[float, float]:
        """Return what one request may cost, and what it will with an answer of usual length."""
        if caller.grants.usd_per_day is None:
            return 0.0, 0.0
        cost, least = self._cost(), self._cost(ANSWER_TOKENS)
        if cost is None or least is None:
            raise _priceless("usd_per_day", self._model)
        return cost, least


def _priceless(field: str, model: str) -> InputError:
    return InputError(
        field,
        f"The cost of {model!r} cannot be limited: it has no price.",
        "Set RE2LLM_PRICES where its calls are made: on the server, and for each worker.",
    )


def _spent(
    caller: Caller, limit: Limit, again: tuple[dt.datetime, int] | None
) -> LimitReachedError:
    if limit == "revoked" or again is None:
        return LimitReachedError("key", "This key was revoked.", "Use another one.")
    allowed = getattr(caller.grants, limit)
    unit = "model calls" if limit == "calls_per_day" else "USD, with what calls in flight may cost"
    return LimitReachedError(
        limit,
        f"This key has used its {allowed:,} {unit}, of today.",
        f"It can go on at {again[0]:%Y-%m-%d %H:%M} UTC.",
        seconds=again[1],
    )


def _job_over(job: str, limit: JobLimit) -> BudgetSpentError:
    if limit == "state":
        return BudgetSpentError(
            "job", f"{job} was paused or cancelled.", f"`re2llm jobs resume {job}` goes on."
        )
    if limit in {"off", "held"}:
        return BudgetSpentError(
            "autopilot",
            "It was turned off." if limit == "off" else "It is held.",
            "`re2llm autopilot on --budget-calls 2000/day` turns it on again."
            if limit == "off"
            else "`re2llm autopilot show` tells why, and what to do.",
        )
    if limit in {"calls_per_day", "usd_per_day", "day"}:
        return BudgetSpentError(
            "usd_per_day or calls_per_day" if limit == "day" else limit,
            "The autopilot's budget of the day has no room for another call.",
            "It goes on tomorrow. `re2llm autopilot show` tells what was used.",
        )
    field = limit if limit in {"max_llm_calls", "max_tokens"} else "max_cost"
    return BudgetSpentError(
        field,
        "The job's budget is spent.",
        f"Raise it: `re2llm jobs retry {job} --{field.replace('_', '-')} …`.",
    )
