"""The trials of a stored hint, and of what was merged into it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from ..catalogue import titles_of
from ..domains import Domain
from ..membership import is_among
from ..schema.tables import HintRow, SessionRow, TrialRow
from .hints import NO_HINT, unknown_hint
from .merged import keys_of


@dataclass(frozen=True, slots=True)
class HintTrial:
    """A training session on which a hint was tried, or one that was merged into it.

    Attributes:
        session: Its key.
        model: Name of the ranking model.
        history: Titles, oldest first.
        target: The title of what came next.
        rank: The rank of the target with the hint.
        rank_without: The target's rank without it; `None` if that was not tried.
        gain: NDCG@10 with it minus without it; `None` where that is not known.
        created_at: When it was tried.
    """

    session: int
    model: str
    history: list[str]
    target: str
    rank: int
    rank_without: int | None
    gain: float | None
    created_at: dt.datetime


async def trials_of_hint(
    connection: AsyncConnection, domain: Domain, hint_id: int, *, skip: int, count: int
) -> tuple[list[HintTrial], int]:
    """Return some of the sessions on which a hint was tried, the greatest harm first.

    Args:
        skip: How many to leave out, from the first.
        count: The highest number to return.

    Returns:
        The trials, and how many there are in all.

    Raises:
        InputError: There is no such hint in the domain.
    """
    key = await connection.scalar(
        select(HintRow.key).where(HintRow.domain_id == domain.id, HintRow.id == hint_id)
    )
    if key is None:
        raise unknown_hint(hint_id)
    trial = _of_hint(domain.id, await keys_of(connection, domain.id, key))
    without = aliased(TrialRow)
    gain = trial.ndcg - without.ndcg
    statement = (
        select(
            trial.session_id,
            trial.model,
            SessionRow.history,
            SessionRow.target,
            trial.rank,
            without.rank,
            gain,
            trial.created_at,
        )
        .join(SessionRow, SessionRow.id == trial.session_id)
        .outerjoin(without, _plain(trial, without))
        .order_by(gain.asc().nulls_last(), trial.session_id, trial.model, trial.prompt_version)
    )
    rows = (await connection.execute(statement.offset(skip).limit(count))).all()
    total = await connection.scalar(select(func.count()).select_from(trial))
    ids = {item for row in rows for item in (*row.history, row.target)}
    titles = await titles_of(connection, domain, ids)
    trials = [
        HintTrial(*row[:2], [titles[item] for item in row.history], titles[row.target], *row[4:])
        for row in rows
    ]
    return trials, total or 0


def _of_hint(domain_id: int, keys: Sequence[bytes]) -> type[TrialRow]:
    """Return a hint's trials, one for each session, model and prompt: its own before a merged one.

    Args:
        keys: Keys from `keys_of`.
    """
    place = case({key: at for at, key in enumerate(keys)}, value=TrialRow.hint_key)
    cell = (TrialRow.session_id, TrialRow.model, TrialRow.prompt_version)
    ranked = (
        select(TrialRow, func.row_number().over(partition_by=cell, order_by=place).label("place"))
        .where(TrialRow.domain_id == domain_id, is_among(TrialRow.hint_key, keys))
        .subquery()
    )
    return aliased(TrialRow, select(ranked).where(ranked.c.place == 1).subquery())


def _plain(trial: type[TrialRow], without: type[TrialRow]) -> ColumnElement[bool]:
    """Join the same session's trial without a hint."""
    return and_(
        without.session_id == trial.session_id,
        without.hint_key == NO_HINT,
        without.model == trial.model,
        without.prompt_version == trial.prompt_version,
    )


async def trials_by_model(
    connection: AsyncConnection, domain_id: int, hint_id: int
) -> list[dict[str, Any]]:
    """Return a hint's trials summed up by model and prompt version, for JSON."""
    key = await connection.scalar(
        select(HintRow.key).where(HintRow.domain_id == domain_id, HintRow.id == hint_id)
    )
    keys = await keys_of(connection, domain_id, key or NO_HINT)
    trial, without = _of_hint(domain_id, keys), aliased(TrialRow)
    gain = trial.ndcg - without.ndcg
    rows = await connection.execute(
        select(
            trial.model,
            trial.prompt_version,
            func.count().label("sessions"),
            func.avg(trial.ndcg).label("mean_ndcg@10"),
            func.avg(gain).label("mean_gain"),
            func.count().filter(gain > 0).label("helped"),
            func.count().filter(gain < 0).label("harmed"),
        )
        .outerjoin(without, _plain(trial, without))
        .group_by(trial.model, trial.prompt_version)
        .order_by(trial.model)
    )
    return [dict(row) for row in rows.mappings()]
