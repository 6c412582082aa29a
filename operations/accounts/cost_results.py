"""What `costs` returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field, field_serializer, field_validator

_DECIMALS = 12
"""More than a price of a token has; others come from adding up."""


class CostSums(BaseModel):
    """Sums over paid model calls."""

    questions: int = Field(description="Prompts; each counts once, however often it was sent.")
    llm_calls: int = Field(description="Sent to the provider, retries included.")
    failed: int = Field(description="Questions without a usable answer.")
    cached: int = Field(description="Answers that were used again.")
    tokens_in: int
    tokens_out: int
    tokens_cached: int = Field(description="Prompt tokens that the provider had in its cache.")
    cost: float = Field(
        description="At the prices in the price table; null if that is nothing and some "
        "questions have no price."
    )
    saved: float = Field(description="By the provider's cache and by batches.")
    unpriced: int = Field(description="Questions without a price.")

    @field_validator("cost", mode="before")
    @classmethod
    def _nothing_known(cls, cost: Any) -> Any:
        return 0.0 if cost is None else cost  # as it is written

    @field_serializer("cost", when_used="json")
    def _known_cost(self, cost: float) -> float | None:
        return round(cost, _DECIMALS) if self.has_price else None

    @field_serializer("saved", when_used="json")
    def _rounded(self, saved: float) -> float:
        return round(saved, _DECIMALS)

    @property
    def has_price(self) -> bool:
        """Whether `cost` says something: failed calls cost nothing, with a price or without."""
        return not self.unpriced or self.cost > 0

    @classmethod
    def of(cls, rows: Sequence[CostSums]) -> CostSums:
        """Add rows up."""
        return CostSums.model_validate(
            {name: sum(getattr(row, name) for row in rows) for name in CostSums.model_fields}
        )


class CostRow(CostSums):
    """The calls of a day, a command, a model or a key; what rows do not tell apart is empty."""

    day: str = Field(default="", description="In UTC.")
    command: str = ""
    model: str = ""
    key: str = Field(
        default="", description="The id of the API key that asked; also empty where none did."
    )
    owner: str = Field(default="", description="Of that key.")
    estimated: bool = Field(description="Whether some tokens are estimated.")

    def named(self, part: str) -> str:
        """Return what a row is about as people read it: its day, command, model or key."""
        if part != "key":
            return str(getattr(self, part))
        return f"{self.owner or 'a deleted key'} ({self.key})" if self.key else "without a key"


class Costs(BaseModel):
    """What model calls have cost."""

    rows: list[CostRow]
    total: CostSums
    unpriced_models: Sequence[str] = Field(description="Models of which a call has no price.")
