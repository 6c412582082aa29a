"""What an operation may spend on model calls, and how many hints it may leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BudgetSpentError, HintsFullError
from ..llm.prices import Prices, require_prices


@dataclass(kw_only=True)
class Budget:
    """Counts calls, tokens and cost, and refuses what would exceed a limit.

    Attributes:
        max_calls: Calls that may be made, or `None` for any number.
        max_tokens: Tokens after which no further call is made, or `None` for any number.
        max_cost: Cost after which no further call is made, or `None` for any.
        max_hints: Active and pending hints that a domain may have, or `None` for any number.
        calls: Calls made so far, retries included.
        tokens: Tokens in and out so far, as the model counts them.
        cost: So far, by the price table.
        reserved: What calls of batches that are under way may cost.
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    max_hints: int | None = None
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    reserved: float = 0.0

    def claim_call(self, estimate: float = 0.0) -> None:
        """Count one call, before it is made.

        Args:
            estimate: What it may cost, to set aside until it is known.

        Raises:
            BudgetSpentError: It would exceed a limit.
        """
        if self.max_calls is not None and self.calls >= self.max_calls:
            raise BudgetSpentError(
                "--max-llm-calls",
                f"All {self.max_calls:,} calls are used.",
                "Run again to continue.",
            )
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            raise BudgetSpentError(
                "--max-tokens",
                f"All {self.max_tokens:,} tokens are used.",
                "Run again to continue.",
            )
        if self.max_cost is not None and self.cost + self.reserved >= self.max_cost:
            raise BudgetSpentError(
                "--max-cost", f"{self.cost:.4f} has been spent.", "Run again to continue."
            )
        self.calls += 1
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
                "--max-hints", f"There are {there:,} hints.", "Raise it to learn more."
            )
        return self.max_hints - there

    def require_prices(self, prices: Prices, models: Sequence[str]) -> None:
        """Make sure that a limit of cost can be kept, before anything is spent.

        Raises:
            InputError: Cost is limited, and a model has no price.
        """
        if self.max_cost is not None:
            require_prices(prices, models)
