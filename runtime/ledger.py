"""Charges and books paid calls, and looks up what was answered before; none fails a request."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.access.allowances import settle_call
from ..knowledge.job_budgets import settle_job_call
from ..knowledge.log.llm_calls import ANSWERED, LlmCall, PaidAnswer, book_call, cached_answer
from ..llm.prices import Bill, bill_for
from ..llm.usage import Usage
from .options import RunOptions

_log = logging.getLogger(__name__)
_observers: set[Callable[[LlmCall], None]] = set()


def _by_day() -> defaultdict[dt.date, float]:
    return defaultdict(float)


@dataclass(slots=True)
class Reserved:
    """What the requests of a question may cost, set aside until it is booked.

    Attributes:
        of_key: The part from each day of the API key's allowance.
        of_job: The part from the job's budget.
        of_autopilot: The part of that from each day of an autopilot's budget.
    """

    of_key: defaultdict[dt.date, float] = field(default_factory=_by_day)
    of_job: float = 0.0
    of_autopilot: defaultdict[dt.date, float] = field(default_factory=_by_day)


def observe_calls(observer: Callable[[LlmCall], None]) -> None:
    """Have a function called with each paid call of this process, such as one that counts them."""
    _observers.add(observer)


async def known_answer(options: RunOptions, key: bytes) -> PaidAnswer | None:
    """Return the answer that a prompt was given before."""
    try:
        async with options.services.autocommit.connect() as connection:
            return await cached_answer(connection, key)
    except (OSError, SQLAlchemyError) as error:
        _log.warning("the call cache cannot be read: %s", type(error).__name__)
        return None


def charge(options: RunOptions, model: str, usage: Usage, *, discount: float = 0.0) -> Bill:
    """Charge the run's budget for an answer.

    Args:
        discount: Part of the price that the provider waives.

    Returns:
        What it cost.
    """
    bill = bill_for(options.settings.prices, model, usage, discount=discount)
    if options.budget is not None:
        options.budget.tokens += usage.tokens_in + usage.tokens_out
        options.budget.cost += bill.cost or 0.0
    return bill


async def book(
    options: RunOptions,
    made: LlmCall,
    *,
    reserved: Reserved,
) -> None:
    """Enter a paid call into the ledger. An answer that is paid must reach its caller.

    Args:
        options: The run's options.
        made: What was asked and what it cost.
        reserved: What its requests have set aside.
    """
    caller, services = options.caller, options.services
    job = None if options.budget is None else options.budget.job
    alone = caller is None and job is None
    opened = services.autocommit.connect() if alone else services.engine.begin()
    for observe in _observers:
        observe(made)
    within = options.settings.database_timeout

    async def settle(connection: AsyncConnection) -> None:
        cost, answered = made.cost or 0.0, made.outcome in ANSWERED
        if caller is not None:
            await settle_call(
                connection, caller.key_id, reserved=reserved.of_key, cost=cost, answered=answered
            )
        if job is not None:
            await settle_job_call(
                connection,
                job,
                reserved=reserved.of_job,
                cost=cost,
                tokens=made.tokens_in + made.tokens_out,
                answered=answered,
                days=reserved.of_autopilot,
            )

    try:
        async with opened as connection, asyncio.timeout(within):
            await book_call(connection, made)
            await settle(connection)
    except (OSError, SQLAlchemyError) as error:  # a `TimeoutError` is an `OSError`
        _log.warning("a model call was not recorded: %s", type(error).__name__)
        if alone or not isinstance(error, (DataError, IntegrityError)):
            return
        try:  # what the table refuses must be paid for all the same
            async with services.engine.begin() as connection, asyncio.timeout(within):
                await settle(connection)
        except (OSError, SQLAlchemyError) as failed:
            _log.warning("a model call was not settled: %s", type(failed).__name__)
