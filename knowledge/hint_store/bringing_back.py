"""Brings back hints that were retired by the trials of another model or prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.decisions import HintDecisionRow
from ..schema.tables import HintRow
from .decisions import StatusChange, apply_change
from .hints import add_hint


def retired_elsewhere(model: str, prompt_version: str) -> ColumnElement[bool]:
    """Return whether a hint was retired by what trials of another model or prompt have shown.

    Not if a person retired it, or if it was merged into one that says the same.
    """
    decided = exists().where(
        HintDecisionRow.domain_id == HintRow.domain_id,
        HintDecisionRow.hint_id == HintRow.id,
        HintDecisionRow.after == "retired",
        # One transaction does both. A person who changes the status later leaves no decision.
        HintDecisionRow.created_at == HintRow.status_since,
        (HintDecisionRow.model != model) | (HintDecisionRow.prompt_version != prompt_version),
    )
    return (HintRow.status == "retired") & HintRow.merged_into.is_(None) & decided


async def known_key(
    connection: AsyncConnection, domain_id: int, key: bytes, about: tuple[str, str]
) -> bool:
    """Return whether a hint is stored, and not `retired_elsewhere`.

    Args:
        key: From `hint_key`.
        about: The model, and the prompt's version.
    """
    known = select(HintRow.id).where(
        HintRow.domain_id == domain_id, HintRow.key == key, ~retired_elsewhere(*about)
    )
    return await connection.scalar(known) is not None


async def add_or_bring_back(
    connection: AsyncConnection,
    domain_id: int,
    text: str,
    embedding: NDArray[np.float32],
    *,
    provenance: Mapping[str, Any],
    status: str,
    about: tuple[str, str],
) -> int:
    """Store a hint that trials have shown to help, and return its id.

    The same text comes back if it was `retired_elsewhere`; if it is there for another reason, it
    stays as it is.

    Args:
        connection: In a transaction that holds the domain's hints.
        embedding: Of the text, shape `[384]`.
        status: `active`, or `pending` until a person approves.
        about: The model of the trials, and the prompt's version.
    """
    number, new = await add_hint(
        connection, domain_id, text, embedding, provenance=provenance, status=status
    )
    gone = select(HintRow.id).where(
        HintRow.domain_id == domain_id, HintRow.id == number, retired_elsewhere(*about)
    )
    if not new and await connection.scalar(gone) is not None:
        reason = f"It was learned again, with {about[0]}."
        change = StatusChange(number, "helps", "retired", status, reason)
        await apply_change(connection, domain_id, change, model=about[0], prompt_version=about[1])
        await connection.execute(
            update(HintRow)
            .where(HintRow.domain_id == domain_id, HintRow.id == number)
            .values(provenance=HintRow.provenance.op("||")(dict(provenance)))
        )
    return number
