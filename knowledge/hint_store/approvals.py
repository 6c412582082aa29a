"""Hints that somebody approved against a decision, which holds until more is known."""

from __future__ import annotations

from sqlalchemy import and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prompted_model import PromptedModel, of_model
from ..schema.decisions import HintDecisionRow
from ..schema.tables import HintRow, TrialRow


async def standing_by_approval(
    connection: AsyncConnection, domain_id: int, prompted_model: PromptedModel
) -> frozenset[int]:
    """Return the hints that somebody has put back into use without new evidence since.

    That is, they are not retired although the last decision on them retired them, by trials with
    the same model and prompt, and they have not been tried with these since they came back.
    """
    newest = (
        select(func.max(HintDecisionRow.id))
        .where(HintDecisionRow.domain_id == domain_id)
        .group_by(HintDecisionRow.hint_id)
    )
    tried_since = exists().where(
        TrialRow.domain_id == domain_id,
        TrialRow.hint_key == HintRow.key,
        of_model(TrialRow, prompted_model),
        TrialRow.created_at > HintRow.status_since,
    )
    back = await connection.scalars(
        select(HintRow.id)
        .join(
            HintDecisionRow,
            and_(
                HintDecisionRow.domain_id == HintRow.domain_id,
                HintDecisionRow.hint_id == HintRow.id,
            ),
        )
        .where(
            HintRow.domain_id == domain_id,
            HintRow.status != "retired",
            HintDecisionRow.id.in_(newest),
            HintDecisionRow.after == "retired",
            of_model(HintDecisionRow, prompted_model),
            ~tried_since,
        )
    )
    return frozenset(back)
