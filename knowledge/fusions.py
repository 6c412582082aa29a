"""The weight of each model's opinion against a domain's first stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Integer, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from .prompted_model import PromptedModel, of_model
from .schema.fusions import FusionRow
from .schema.tables import ReleaseRow


async def store_fusions(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    fusions: Mapping[str, Mapping[str, Any]],
) -> None:
    """Store what was learned, in place of what was known before.

    Too few sessions measure nothing: what was measured before stays then.

    Args:
        connection: A connection in a transaction.
        fusions: Fusions by the policy that chose the hints.
    """
    statement = insert(FusionRow)
    replaced = {"learned": statement.excluded.learned, "created_at": func.now()}
    better = or_(_measured(statement.excluded.learned), ~_measured(FusionRow.__table__.c.learned))
    keys = ["domain_id", "model", "prompt_version", "policy"]
    for policy, learned in fusions.items():
        row = {
            "domain_id": domain_id,
            **prompted_model.columns,
            "policy": policy,
            "learned": dict(learned),
        }
        await connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=replaced, where=better), row
        )


async def weighed_since(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    policy: str | None,
) -> dt.datetime | None:
    """Return since when what has no weight of its own is ranked with its present one.

    Args:
        policy: The policy whose weight it has, or `None` if none was learned.

    Returns:
        When that was learned or the active release activated, whichever was later; `None` if
        neither ever was.
    """
    learned = select(FusionRow.created_at).where(
        FusionRow.domain_id == domain_id,
        of_model(FusionRow, prompted_model),
        FusionRow.policy == policy,
    )
    active = select(ReleaseRow.activated_at).where(
        ReleaseRow.domain_id == domain_id, ReleaseRow.status == "active"
    )
    latest = func.greatest(learned.scalar_subquery(), active.scalar_subquery())
    return await connection.scalar(select(latest))


def _measured(learned: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.coalesce(learned["sessions"].astext.cast(Integer), 0) > 0
