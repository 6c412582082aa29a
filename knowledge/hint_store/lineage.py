"""A hint's whole story: where it came from, what it was tried on, how often it was used."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..catalogue import titles_of
from ..domains import Domain
from ..membership import is_among
from ..schema.reflections import BatchedMissRow, ProposalRow, ReflectionRow
from ..schema.tables import HintRow, SessionRow
from .decisions import decisions_on
from .hints import unknown_hint
from .trials_of_hint import trials_by_model
from .uses import count_uses


async def hint_lineage(
    connection: AsyncConnection, domain: Domain, hint_id: int, *, conversation: bool = False
) -> dict[str, Any]:
    """Return a hint's story with its uses, and its trials summed up by model, for JSON.

    Raises:
        InputError: There is no such hint in the domain.
    """
    story = await hint_story(connection, domain, hint_id, conversation=conversation)
    return {
        **story,
        "trials": await trials_by_model(connection, domain.id, hint_id),
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
    titles = await titles_of(connection, domain, ids)

    def told(row: Any) -> dict[str, Any]:
        return {
            "session": row.session_id,
            "history": [titles[item] for item in row.history],
            "target": titles[row.target],
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
        .where(
            is_among(BatchedMissRow.reflection_id, [key for key in reflections if key is not None])
        )
        .order_by(BatchedMissRow.reflection_id, BatchedMissRow.session_id)
    )
    return list(found)
