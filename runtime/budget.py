"""What an operation may spend on model calls, and how many hints it may keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from ..errors import BudgetSpentError, HintsFullError
from ..llm.prices import Prices, require_prices
from ..records import counted


@dataclass(kw_only=True)
class Budget:
    """Counts calls, tokens and cost, and refuses what would exceed a limit."""

    # A limit under another name would be no limit.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    max_llm_calls: Annotated[
        int | None, Field(ge=0, description="Calls that may be made; null for any number.")
    ] = None
    max_tokens: Annotated[
        int | None,
        Field(ge=0, description="Tokens after which no further call is made; null for any number."),
    ] = None
    max_cost: Annotated[
        float | None,
        Field(ge=0, description="Cost after which no further call is made; null for any."),
    ] = None
    max_hints: Annotated[
        int | None,
        Field(
            ge=0,
            description="Active and pending hints that a domain may have; null for any number.",
        ),
    ] = None
    llm_calls: Annotated[int, Field(description="Calls made so far, retries included.")] = 0
    tokens: Annotated[
        int, Field(description="Tokens in and out so far, as the model counts them.")
    ] = 0
    cost: Annotated[float, Field(description="Spent so far, by the price table.")] = 0.0
    reserved: Annotated[
        float, Field(description="What calls of batches that are under way may cost.")
    ] = 0.0
    job: Annotated[
        str | None,
        Field(
            description="The job whose limits count instead, over all workers; null for no job.",
            max_length=100,
            pattern="^[a-z]+-[a-z0-9]+$",
        ),
    ] = None

    @property
    def llm_calls_left(self) -> int | None:
        """How many calls may still be made; `None` for any number, or if a job counts them."""
        if self.max_llm_calls is None or self.job is not None:
            return None
        return max(0, self.max_llm_calls - self.llm_calls)

    @property
    def is_limited(self) -> bool:
        """Whether the calls may run out; a job's limits are not known here."""
        return any(
            limit is not None for limit in (self.max_llm_calls, self.max_tokens, self.max_cost)
        )

    def claim_call(self, estimate: float = 0.0) -> None:
        """Count one call, before it is made.

        Args:
            estimate: What it may cost, to set aside until it is known.

        Raises:
            BudgetSpentError: It would exceed a limit.
        """
        if self.max_llm_calls is not None and self.llm_calls >= self.max_llm_calls:
            raise BudgetSpentError(
                "max_llm_calls",
                f"The limit of {counted(self.max_llm_calls, 'call')} is reached.",
                "Run again to continue.",
            )
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            raise BudgetSpentError(
                "max_tokens",
                f"The limit of {counted(self.max_tokens, 'token')} is reached.",
                "Run again to continue.",
            )
        # `not … <` instead of `>=`, so that a cost of NaN ends the calls, too.
        if self.max_cost is not None and not self.cost + self.reserved < self.max_cost:
            raise BudgetSpentError(
                "max_cost", f"{self.cost:.4f} has been spent.", "Run again to continue."
            )
        self.llm_calls += 1
        self.reserved += estimate

    def room_for_hints(self, there: int) -> int | None:
        """Return how many more hints may be stored, `None` for any number.

        Args:
            there: Hints of the domain that are active or pending.

        Raises:
            HintsFullError: None may.
        """
        if self.max_hints is None:
            return None
        if there >= self.max_hints:
            raise HintsFullError(
                "max_hints",
                f"The domain has {counted(there, 'hint')}.",
                "Raise it to learn more.",
            )
        return self.max_hints - there

    def require_prices(self, prices: Prices, models: Sequence[str]) -> None:
        """Make sure that a limit of cost can be kept, before anything is spent.

        Raises:
            InputError: Cost is limited, and a model has no price.
        """
        if self.max_cost is not None:
            require_prices(prices, models)


def limited(given: Budget | None, **limits: Any) -> Budget:
    """Return a budget with some limits, for the job of another budget, if that has one."""
    return Budget(job=None if given is None else given.job, **limits)
