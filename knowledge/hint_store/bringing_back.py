"""Brings back hints that were retired by the trials of another model or prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prompted_model import PromptedModel, of_model
from ..schema.decisions import HintDecisionRow
from ..schema.tables import HintRow
from .decisions import StatusChange, apply_change
from .hints import add_hint


def retired_elsewhere(prompted_model: PromptedModel) -> ColumnElement[bool]:
    """Return whether a hint was retired by what trials of another model or prompt have shown.

    Not if a person retired it, or if it was merged into one that says the same.
    """
    decided = exists().where(
        HintDecisionRow.domain_id == HintRow.domain_id,
        HintDecisionRow.hint_id == HintRow.id,
        HintDecisionRow.after == "retired",
        # One transaction does both. A person who changes the status later leaves no decision.
        HintDecisionRow.created_at == HintRow.status_since,
        ~of_model(HintDecisionRow, prompted_model),
    )
    return (HintRow.status == "retired") & HintRow.merged_into.is_(None) & decided


async def known_key(
    connection: AsyncConnection, domain_id: int, key: bytes, prompted_model: PromptedModel
) -> bool:
    """Return whether a hint is stored, and not `retired_elsewhere`.

    Args:
        key: A key from `hint_key`.
    """
    known = select(HintRow.id).where(
        HintRow.domain_id == domain_id, HintRow.key == key, ~retired_elsewhere(prompted_model)
    )
    return await connection.scalar(known) is not None


async def add_or_bring_back(
    connection: AsyncConnection,
    domain_id: int,
    text: str,
    embedding: NDArray[np.float32],
    prompted_model: PromptedModel,
    *,
    provenance: Mapping[str, Any],
    status: str,
) -> int:
    """Store a hint that trials have shown to help, and return its id.

    The same text comes back if it was `retired_elsewhere`; if it is there for another reason, it
    stays as it is.

    Args:
        connection: A connection in a transaction that holds the domain's hints.
        embedding: The embedding of the text, shape `[384]`.
        prompted_model: The trials' model and prompt.
        status: `active`, or `pending` until a person approves.
    """
    number, new = await add_hint(
        connection, domain_id, text, embedding, provenance=provenance, status=status
    )
    gone = select(HintRow.id).where(
        HintRow.domain_id == domain_id, HintRow.id == number, retired_elsewhere(prompted_model)
    )
    if not new and await connection.scalar(gone) is not None:
        reason = f"It was learned again, with {prompted_model.model}."
        change = StatusChange(number, "helps", "retired", status, reason)
        await apply_change(connection, domain_id, change, prompted_model)
        await connection.execute(
            update(HintRow)
            .where(HintRow.domain_id == domain_id, HintRow.id == number)
            .values(provenance=HintRow.provenance.op("||")(dict(provenance)))
        )
    return number
