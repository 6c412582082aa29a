"""What tidying needs to know of a domain's hints, and what it has decided on them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prompted_model import PromptedModel
from ..releases import RELEASE
from ..schema.decisions import HintDecisionRow
from ..schema.log import RecommendationRow
from ..schema.reflections import BatchedMissRow, ProposalRow, ReflectionRow
from ..schema.tables import HintRow
from .hints import Hint, hint_of, select_hints, set_status
from .merged import keys_by_hint
from .uses import hinted_by_policy, uses_by_hint

_PROPOSED = (ProposalRow.domain_id == HintRow.domain_id) & (ProposalRow.hint_id == HintRow.id)


@dataclass(frozen=True, slots=True)
class KeptHint:
    """An active or pending hint, with what tidying goes by.

    Attributes:
        hint: The hint.
        embedding: Embedding of its text, shape `[384]`.
        since: When it got its status.
        keys: Keys of its trials, from `keys_by_hint`.
    """

    hint: Hint
    embedding: NDArray[np.float32]
    since: dt.datetime
    keys: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A decision on a hint.

    Attributes:
        hint_id: Id of the hint.
        verdict: The verdict in a word, such as `harms`.
        before: Its status until then; a hint whose status is another one now stays as it is.
        after: Its status from then on.
        reason: The reason in words, with the figures.
        figures: The figures for programs.
        merged_into: The hint that says the same, if it is a near-duplicate.
    """

    hint_id: int
    verdict: str
    before: str
    after: str
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    merged_into: int | None = None


async def kept_hints(connection: AsyncConnection, domain_id: int) -> list[KeptHint]:
    """Return a domain's active and pending hints, oldest first."""
    rows = await connection.execute(
        select_hints(domain_id)
        .add_columns(HintRow.embedding, HintRow.status_since)
        .where(HintRow.status != "retired")
        .order_by(HintRow.id)
    )
    found = list(rows)
    keys = await keys_by_hint(connection, domain_id)
    return [
        KeptHint(hint_of(row), row.embedding, row.status_since, keys[row.id])
        for row in found
        if row.id in keys
    ]


async def own_sessions(connection: AsyncConnection, domain_id: int) -> dict[int, set[int]]:
    """Return by hint the keys of the sessions on which it was proposed, where its gain is too high.

    Those of hints that were merged into it count as its own, too.
    """
    rows = await connection.execute(
        select(HintRow.id, HintRow.merged_into, ReflectionRow.session_id)
        .join(ProposalRow, _PROPOSED)
        .join(ReflectionRow, ReflectionRow.id == ProposalRow.reflection_id)
        .where(HintRow.domain_id == domain_id)
    )
    batched = await connection.execute(
        select(HintRow.id, HintRow.merged_into, BatchedMissRow.session_id)
        .join(ProposalRow, _PROPOSED)
        .join(BatchedMissRow, BatchedMissRow.reflection_id == ProposalRow.reflection_id)
        .where(HintRow.domain_id == domain_id)
    )
    # A child of other hints was written by sessions that its provenance names.
    shown = await connection.execute(
        select(
            HintRow.id,
            HintRow.merged_into,
            func.jsonb_array_elements_text(HintRow.provenance["sessions"]).cast(BigInteger),
        ).where(HintRow.domain_id == domain_id, HintRow.provenance.has_key("sessions"))
    )
    found: dict[int, set[int]] = {}
    for hint_id, merged_into, session in (*rows, *batched, *shown):
        found.setdefault(hint_id, set()).add(session)
        if merged_into is not None:
            found.setdefault(merged_into, set()).add(session)
    return found


async def count_tested(connection: AsyncConnection, domain_id: int) -> int:
    """Return how many hints of a domain were ever up for proof: stored ones, and those refused.

    Among many, some seem to help by chance. The correction needs this number.
    """
    stored = select(func.count()).where(HintRow.domain_id == domain_id)
    refused = select(func.count(ProposalRow.text.distinct())).where(
        ProposalRow.domain_id == domain_id,
        ProposalRow.outcome == "ineffective",
        ProposalRow.text != "",
    )
    return (await connection.scalar(stored) or 0) + (await connection.scalar(refused) or 0)


async def hint_uses(
    connection: AsyncConnection, domain_id: int, since: dt.datetime
) -> tuple[dict[int, int], dict[str, int]]:
    """Return how often the learned policy has given hints, by the log.

    Returns:
        How often it has given each hint, alone or in a set, or one that was merged into it; and
        how many answers had a hint, by the policy, such as `ppo:2`.
    """
    learned = (
        RecommendationRow.domain_id == domain_id,
        RecommendationRow.created_at >= since,
        RecommendationRow.policy.startswith(RELEASE),
    )
    merged = await connection.execute(
        select(HintRow.id, HintRow.merged_into).where(
            HintRow.domain_id == domain_id, HintRow.merged_into.is_not(None)
        )
    )
    kept = {row.id: row.merged_into for row in merged}
    uses: Counter[int] = Counter()
    for _, hint, count in await connection.execute(uses_by_hint().where(*learned)):
        uses[kept.get(hint) or hint] += count
    return dict(uses), await hinted_by_policy(connection, *learned)


async def apply_change(
    connection: AsyncConnection,
    domain_id: int,
    change: StatusChange,
    prompted_model: PromptedModel,
) -> bool:
    """Change a hint's status as decided, and keep the decision; both or neither.

    Args:
        connection: A connection in a transaction that holds the domain's hints.
        prompted_model: The model and prompt whose trials decided.

    Returns:
        Whether it was changed; not, if somebody else has changed its status meanwhile.
    """
    if await _status(connection, domain_id, change.hint_id) != change.before:
        return False
    instead = change.figures.get("hint")  # says the same, or is better
    if instead is not None and (await _status(connection, domain_id, instead) in {None, "retired"}):
        return False
    await set_status(connection, domain_id, change.hint_id, change.after, change.reason)
    if change.merged_into is not None:
        # Also what was merged into this one before: no chains.
        await connection.execute(
            update(HintRow)
            .where(
                HintRow.domain_id == domain_id,
                or_(HintRow.id == change.hint_id, HintRow.merged_into == change.hint_id),
            )
            .values(merged_into=change.merged_into)
        )
    await connection.execute(
        insert(HintDecisionRow).values(
            domain_id=domain_id,
            hint_id=change.hint_id,
            verdict=change.verdict,
            before=change.before,
            after=change.after,
            reason=change.reason,
            figures=dict(change.figures),
            **prompted_model.columns,
        )
    )
    return True


async def decisions_on(
    connection: AsyncConnection, domain_id: int, hint_id: int
) -> list[dict[str, Any]]:
    """Return what was decided on a hint, oldest first, ready for JSON."""
    rows = await connection.execute(
        select(
            HintDecisionRow.verdict,
            HintDecisionRow.before,
            HintDecisionRow.after,
            HintDecisionRow.reason,
            HintDecisionRow.figures,
            HintDecisionRow.model,
            HintDecisionRow.prompt_version,
            HintDecisionRow.created_at,
        )
        .where(HintDecisionRow.domain_id == domain_id, HintDecisionRow.hint_id == hint_id)
        .order_by(HintDecisionRow.id)
    )
    return [{**row, "created_at": row["created_at"].isoformat()} for row in rows.mappings()]


async def _status(connection: AsyncConnection, domain_id: int, hint_id: int) -> str | None:
    return await connection.scalar(
        select(HintRow.status).where(HintRow.domain_id == domain_id, HintRow.id == hint_id)
    )
