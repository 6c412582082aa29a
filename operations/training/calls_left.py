"""Says how many more model calls the limits of a training allow; money counts as calls, too."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...knowledge.hint_store.hints import Hint
from ...knowledge.job_budgets import room_of_job
from ...llm.prices import call_cost
from ...ranking.prompt import ranking_prompt
from ...ranking.state import RecommendState
from ...runtime.allowance import presumed_usage
from ...runtime.budget import Budget
from ...runtime.options import RunOptions
from ...runtime.questions import Questions
from ..database import connected
from .panel import ask_every_hint

_MARGIN = 1.05
"""The next calls may cost more than the mean; besides, the price of one call is kept."""


class CallsLeft:
    """Counts what the run's budget, its job and the day of an autopilot still allow.

    A call costs as much as those before it did on average. Before the first, it costs what
    the prompts of one session may.

    Args:
        options: The run's options.
        state: A session that is asked about.
        hints: The hints that are tried on it.
    """

    def __init__(self, options: RunOptions, state: RecommendState, hints: Sequence[Hint]) -> None:
        self._options = options
        self._state = state
        self._hints = hints
        self._presumed: float | None = None

    async def count(self) -> float:
        """Return how many more calls may be made; infinity for any number.

        Raises:
            DatabaseError: The database failed.
        """
        budget = self._options.budget or Budget()
        calls = [
            math.inf if budget.max_llm_calls is None else budget.max_llm_calls - budget.llm_calls
        ]
        money = [] if budget.max_cost is None else [budget.max_cost - budget.cost - budget.reserved]
        mean = budget.cost / budget.llm_calls if budget.llm_calls else None
        if budget.job is not None:
            async with connected(self._options) as connection:
                room = await room_of_job(connection, budget.job)
            mean = room.mean
            calls += [] if room.calls is None else [room.calls]
            money += [] if room.usd is None else [room.usd]
        if money:
            price = await self._likely_cost() if mean is None else mean
            calls += [] if price <= 0 else [min(money) / price / _MARGIN - 1]
        return max(0.0, min(calls))

    async def _likely_cost(self) -> float:
        if self._presumed is None:
            questions = Questions()
            await ask_every_hint(self._state, self._hints, self._options, questions)
            options = self._options
            # Where all trials of this session are paid, its prompt stands for those of others.
            prompts = [asked.messages for asked in questions.take()]
            prompts = prompts or [ranking_prompt(self._state, options, hinted=False)]
            uses = [presumed_usage(options, prompt) for prompt in prompts]
            costs = [
                call_cost(options.settings.prices, options.model, use.tokens_in, use.tokens_out)
                for use in uses
            ]
            self._presumed = sum(cost or 0.0 for cost in costs) / max(1, len(costs))
        return self._presumed
