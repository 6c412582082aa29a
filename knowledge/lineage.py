"""A hint's whole story: where it came from, what it was tried on, how often it was used."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from .tables import HintRow, ProposalRow, RecommendationRow, ReflectionRow, TrialRow


async def hint_lineage(connection: AsyncConnection, domain_id: int, hint_id: int) -> dict[str, Any]:
    """Return a hint with its miss, diagnosis, proposals, trials and uses, ready for JSON.

    Args:
        connection: An open connection.
        domain_id: Which domain.
        hint_id: Which hint.

    Raises:
        InputError: There is no such hint in the domain.
    """
    hint = (
        await connection.execute(
            select(
                HintRow.id,
                HintRow.key,
                HintRow.text,
                HintRow.status,
                HintRow.provenance,
                HintRow.created_at,
            ).where(HintRow.domain_id == domain_id, HintRow.id == hint_id)
        )
    ).one_or_none()
    if hint is None:
        raise InputError(
            "hint", f"There is no hint {hint_id} in this domain.", "`re2llm hints list` shows all."
        )
    trials = await connection.execute(
        select(TrialRow.model, TrialRow.prompt_version, func.count(), func.avg(TrialRow.ndcg))
        .where(TrialRow.domain_id == domain_id, TrialRow.hint_key == hint.key)
        .group_by(TrialRow.model, TrialRow.prompt_version)
        .order_by(TrialRow.model)
    )
    uses = await connection.scalar(select(func.count()).where(RecommendationRow.hint_id == hint_id))
    return {
        "id": hint.id,
        "text": hint.text,
        "status": hint.status,
        "created_at": hint.created_at.isoformat(),
        "provenance": hint.provenance,
        "proposals": await _proposals(connection, domain_id, hint_id),
        "trials": [
            {"model": model, "prompt_version": version, "sessions": count, "mean_ndcg@10": mean}
            for model, version, count, mean in trials
        ],
        "uses": uses or 0,
    }


async def _proposals(
    connection: AsyncConnection, domain_id: int, hint_id: int
) -> list[dict[str, Any]]:
    rows = await connection.execute(
        select(
            ProposalRow.text,
            ProposalRow.outcome,
            ProposalRow.reason,
            ProposalRow.verification,
            ReflectionRow.session_id,
            ReflectionRow.rank,
            ReflectionRow.model,
            ReflectionRow.diagnosis,
        )
        .outerjoin(ReflectionRow, ReflectionRow.id == ProposalRow.reflection_id)
        .where(ProposalRow.domain_id == domain_id, ProposalRow.hint_id == hint_id)
        .order_by(ProposalRow.id)
    )
    return [
        {
            "text": row.text,
            "outcome": row.outcome,
            "reason": row.reason,
            "verification": row.verification,
            "miss": None
            if row.session_id is None
            else {
                "session": row.session_id,
                "rank": row.rank,
                "model": row.model,
                "diagnosis": row.diagnosis,
            },
        }
        for row in rows
    ]
