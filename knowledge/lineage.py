"""A hint's whole story: where it came from, what it was tried on, how often it was used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from .catalogue import fetch_items
from .domains import Domain
from .hint_decisions import decisions_on
from .hint_uses import count_uses
from .hints import NO_HINT, unknown_hint
from .merged import keys_of
from .reflection_tables import BatchedMissRow, ProposalRow, ReflectionRow
from .tables import HintRow, SessionRow, TrialRow


async def hint_lineage(
    connection: AsyncConnection, domain: Domain, hint_id: int, *, conversation: bool = False
) -> dict[str, Any]:
    """Return a hint's story with its uses, and its trials summed up by model, for JSON.

    Raises:
        InputError: There is no such hint in the domain.
    """
    story = await hint_story(connection, domain, hint_id, conversation=conversation)
    key = await connection.scalar(
        select(HintRow.key).where(HintRow.domain_id == domain.id, HintRow.id == hint_id)
    )
    keys = await keys_of(connection, domain.id, key or NO_HINT)
    return {
        **story,
        "trials": await _trials(connection, domain.id, keys),
        "uses": (await count_uses(connection, domain.id, [hint_id])).get(hint_id, 0),
    }


async def hint_story(
    connection: AsyncConnection, domain: Domain, hint_id: int, *, conversation: bool = False
) -> dict[str, Any]:
    """Return a hint with its miss, diagnosis, proposals, merges and decisions, for JSON.

    Args:
        conversation: Whether to add every message of the reflections.

    Raises:
        InputError: There is no such hint in the domain.
    """
    hint = (
        await connection.execute(
            select(
                HintRow.id,
                HintRow.text,
                HintRow.status,
                HintRow.provenance,
                HintRow.created_at,
                HintRow.merged_into,
            ).where(HintRow.domain_id == domain.id, HintRow.id == hint_id)
        )
    ).one_or_none()
    if hint is None:
        raise unknown_hint(hint_id)
    merged = await connection.scalars(
        select(HintRow.id)
        .where(HintRow.domain_id == domain.id, HintRow.merged_into == hint_id)
        .order_by(HintRow.id)
    )
    return {
        "id": hint.id,
        "text": hint.text,
        "status": hint.status,
        "created_at": hint.created_at.isoformat(),
        "provenance": hint.provenance,
        "proposals": await _proposals(connection, domain, hint_id, conversation=conversation),
        "merged_into": hint.merged_into,
        "merged": list(merged),
        "decisions": await decisions_on(connection, domain.id, hint_id),
    }


@dataclass(frozen=True, slots=True)
class HintTrial:
    """A training session on which a hint was tried, or one that was merged into it.

    Attributes:
        session: Its key.
        model: Name of the ranking model.
        history: Titles, oldest first.
        target: The title of what came next.
        rank: Of the target with the hint.
        rank_without: Of the target without it; `None` where that was not tried.
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
        count: How many at most.

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
    items = await fetch_items(connection, domain, list(ids))
    titles = {item: items[item].title if item in items else item for item in ids}
    trials = [
        HintTrial(*row[:2], [titles[item] for item in row.history], titles[row.target], *row[4:])
        for row in rows
    ]
    return trials, total or 0


def _of_hint(domain_id: int, keys: Sequence[bytes]) -> type[TrialRow]:
    """Return a hint's trials, one for each session, model and prompt: its own before a merged one.

    Args:
        keys: From `keys_of`.
    """
    place = case({key: at for at, key in enumerate(keys)}, value=TrialRow.hint_key)
    cell = (TrialRow.session_id, TrialRow.model, TrialRow.prompt_version)
    ranked = (
        select(TrialRow, func.row_number().over(partition_by=cell, order_by=place).label("place"))
        .where(TrialRow.domain_id == domain_id, TrialRow.hint_key.in_(keys))
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


async def _trials(
    connection: AsyncConnection, domain_id: int, keys: Sequence[bytes]
) -> list[dict[str, Any]]:
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


async def _proposals(
    connection: AsyncConnection, domain: Domain, hint_id: int, *, conversation: bool
) -> list[dict[str, Any]]:
    found = await connection.execute(
        select(
            ProposalRow.text,
            ProposalRow.outcome,
            ProposalRow.reason,
            ProposalRow.verification,
            ProposalRow.reflection_id,
            ReflectionRow.session_id,
            ReflectionRow.rank,
            ReflectionRow.model,
            ReflectionRow.diagnosis,
            ReflectionRow.messages,
            SessionRow.history,
            SessionRow.target,
        )
        .outerjoin(ReflectionRow, ReflectionRow.id == ProposalRow.reflection_id)
        .outerjoin(SessionRow, SessionRow.id == ReflectionRow.session_id)
        .where(ProposalRow.domain_id == domain.id, ProposalRow.hint_id == hint_id)
        .order_by(ProposalRow.id)
    )
    rows = list(found)
    others = await _batched(connection, {row.reflection_id for row in rows})
    misses = [row for row in (*rows, *others) if row.history is not None]
    ids = {item for row in misses for item in (*row.history, row.target)}
    items = await fetch_items(connection, domain, list(ids))
    titles = {item.id: item.title for item in items.values()}

    def told(row: Any) -> dict[str, Any]:
        return {
            "session": row.session_id,
            "history": [titles.get(item, item) for item in row.history],
            "target": titles.get(row.target, row.target),
            "rank": row.rank,
        }

    return [
        {
            "text": row.text,
            "outcome": row.outcome,
            "reason": row.reason,
            "verification": row.verification,
            "miss": None
            if row.session_id is None
            else {
                **told(row),
                "model": row.model,
                "diagnosis": row.diagnosis,
                "batch": [
                    told(other) for other in others if other.reflection_id == row.reflection_id
                ],
                **({"messages": row.messages} if conversation else {}),
            },
        }
        for row in rows
    ]


async def _batched(connection: AsyncConnection, reflections: AbstractSet[int | None]) -> list[Any]:
    """Return the further misses of reflections on several."""
    found = await connection.execute(
        select(
            BatchedMissRow.reflection_id,
            BatchedMissRow.session_id,
            BatchedMissRow.rank,
            SessionRow.history,
            SessionRow.target,
        )
        .join(SessionRow, SessionRow.id == BatchedMissRow.session_id)
        .where(BatchedMissRow.reflection_id.in_([key for key in reflections if key is not None]))
        .order_by(BatchedMissRow.reflection_id, BatchedMissRow.session_id)
    )
    return list(found)
