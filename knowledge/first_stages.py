"""Fitted first stages: stored as one blob each, the newest of a domain serves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prompt_versions import FIRST_STAGE_MARKS
from .domain_locks import hold_row
from .domains import Domain
from .schema.fusions import FirstStageRow, FusionRow
from .schema.tables import TrialRow


@dataclass(frozen=True, slots=True)
class StoredFirstStage:
    """What is known of a stored first stage, without its parameters.

    Attributes:
        id: Its number.
        revision: The revision of the domain when it was fitted.
        metrics: Measured on training sessions, each ranked by a model that has not seen it.
    """

    id: int
    revision: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten.

    Attributes:
        first_stage: Whether there was a first stage, which is gone.
        trials: How many rankings of what it had chosen.
        weights: How the hints were chosen, of each measured weight of a model's opinion.
    """

    first_stage: bool = False
    trials: int = 0
    weights: Sequence[str] = ()

    def paid(self) -> dict[str, Any]:
        """Return what was paid for, as the fields of an outcome."""
        return {"trials_forgotten": self.trials, "weights_forgotten": list(self.weights)}


async def store_first_stage(
    connection: AsyncConnection, domain: Domain, model: bytes, metrics: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Forgotten]:
    """Store a first stage, which serves from now on and replaces the older ones.

    Trials on the candidates of an older one, and weights measured with it, are deleted: it chose
    which candidates the models were asked about, and in which order.

    Args:
        connection: A connection in a transaction.
        domain: The domain as it was when the sessions were read.
        model: The model's bytes, from `FirstStage.dump`.

    Returns:
        The metrics of what serves, and what was forgotten: a first stage of newer sessions that was
        stored meanwhile stays.
    """
    await hold_row(connection, domain.id)
    known = await describe_first_stage(connection, domain.id)
    if known is not None and known.revision > domain.revision:
        return known.metrics, Forgotten()
    forgotten = await forget_first_stage(connection, domain.id)
    await connection.execute(
        insert(FirstStageRow).values(
            domain_id=domain.id, revision=domain.revision, model=model, metrics=dict(metrics)
        )
    )
    return metrics, forgotten


async def forget_first_stage(connection: AsyncConnection, domain_id: int) -> Forgotten:
    """Delete a domain's first stage, and what depends on it; the next fit makes another.

    Args:
        connection: A connection in a transaction.
    """
    shown = or_(*(TrialRow.prompt_version.contains(mark) for mark in FIRST_STAGE_MARKS))
    known = await connection.execute(
        delete(FirstStageRow).where(FirstStageRow.domain_id == domain_id)
    )
    trials = await connection.execute(
        delete(TrialRow).where(TrialRow.domain_id == domain_id, shown)
    )
    weights = await _forget_weights(connection, domain_id, None)
    return Forgotten(known.rowcount > 0, trials.rowcount, weights)


async def forget_learned_since(
    connection: AsyncConnection, domain_id: int, since: dt.datetime | None
) -> Forgotten:
    """Forget what may have learned from sessions that are deleted: what was made after they came.

    Args:
        connection: A connection in a transaction.
        since: When the first of them came; `None` if nobody knows.
    """
    own = FirstStageRow.domain_id == domain_id
    fitted = await connection.scalar(select(func.max(FirstStageRow.created_at)).where(own))
    if fitted is not None and (since is None or fitted >= since):
        return await forget_first_stage(connection, domain_id)
    weights = await _forget_weights(connection, domain_id, since)
    return Forgotten(first_stage=False, trials=0, weights=weights)


async def _forget_weights(
    connection: AsyncConnection, domain_id: int, since: dt.datetime | None
) -> list[str]:
    statement = delete(FusionRow).where(FusionRow.domain_id == domain_id)
    if since is not None:
        statement = statement.where(FusionRow.created_at >= since)
    return sorted({*await connection.scalars(statement.returning(FusionRow.policy))})


async def describe_first_stage(
    connection: AsyncConnection, domain_id: int
) -> StoredFirstStage | None:
    """Return what is known of the first stage that serves, if there is one."""
    row = (
        await connection.execute(
            select(FirstStageRow.id, FirstStageRow.revision, FirstStageRow.metrics)
            .where(FirstStageRow.domain_id == domain_id)
            .order_by(FirstStageRow.id.desc())
            .limit(1)
        )
    ).one_or_none()
    return None if row is None else StoredFirstStage(*row)


async def fetch_first_stage(connection: AsyncConnection, number: int) -> bytes | None:
    """Return the parameters of a first stage; `None` if a newer one has replaced it meanwhile."""
    return await connection.scalar(select(FirstStageRow.model).where(FirstStageRow.id == number))
