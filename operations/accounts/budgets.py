"""What API keys may use today, and what is left of it."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from ...knowledge.access.allowances import next_day, used_by_key
from ...knowledge.access.keys import find_key, list_keys
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..database import connected


class KeyBudget(BaseModel):
    """What one key has used today, of what it may."""

    id: str
    owner: str
    domains: list[str] = Field(description="The domains that it may use.")
    llm_calls: int = Field(description="Paid model calls of today (UTC), retries included.")
    calls_per_day: int | None = Field(description="At most so many; null for any number.")
    cost: float = Field(description="By `RE2LLM_PRICES`, with what calls in flight may cost.")
    usd_per_day: float | None

    @property
    def llm_calls_left(self) -> int | None:
        """Calls that it may still make today; `None` for any number."""
        return None if self.calls_per_day is None else max(0, self.calls_per_day - self.llm_calls)

    @property
    def cost_left(self) -> float | None:
        """What it may still spend today; `None` for any sum."""
        return None if self.usd_per_day is None else max(0.0, self.usd_per_day - self.cost)


class KeyBudgets(BaseModel):
    """The budgets of a day."""

    keys: list[KeyBudget] = Field(description="Keys that work; those that spent most first.")
    until: dt.datetime = Field(description="When limits start again.")


async def key_budgets(context: Context) -> KeyBudgets:
    """Return what each key has used today; with an API key, its own budget alone.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options) as connection:
        if options.caller is None:
            known = await list_keys(connection)
        else:
            own = await find_key(connection, options.caller.key_id)
            known = [] if own is None else [own]
        used = await used_by_key(connection)
        until, _ = await next_day(connection)
    budgets = [
        KeyBudget(
            id=key.id,
            owner=key.owner,
            domains=key.domains,
            llm_calls=used.get(key.id, (0, 0.0))[0],
            calls_per_day=key.grants.calls_per_day,
            cost=used.get(key.id, (0, 0.0))[1],
            usd_per_day=key.grants.usd_per_day,
        )
        for key in known
        if key.revoked_at is None
    ]
    budgets.sort(key=lambda one: (-one.cost, -one.llm_calls, one.owner, one.id))
    return KeyBudgets(keys=budgets, until=until)
