"""Reflections on misses and the hints they proposed: the provenance of every lesson."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from .hints import NO_HINT
from .tables import ItemRow, ProposalRow, ReflectionRow, SessionRow, TrialRow
from .trials import hit_ranks_of

Outcome = Literal["stored", "duplicate", "leak", "ineffective", "surplus"]
"""What became of a proposed hint; `surplus`: it passed, but there was room for better ones only."""


@dataclass(frozen=True, slots=True)
class Reflection:
    """A miss and the conversation about it.

    Attributes:
        session_id: Key of the training session.
        model: Name of the reflecting model.
        prompt_version: Version of the reflection prompts.
        rank: Where the target stood.
        diagnosis: Why it was missed, in the model's words.
        messages: Role and content of each message, in order.
    """

    session_id: int
    model: str
    prompt_version: str
    rank: int
    diagnosis: str
    messages: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed hint and what became of it.

    Attributes:
        text: The hint.
        outcome: What became of it.
        reason: Why.
        hint_id: The hint that it became, or that it repeats.
        verification: Numbers of its verification, if it was tried.
    """

    text: str
    outcome: Outcome
    reason: str
    hint_id: int | None = None
    verification: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def store_reflection(
    connection: AsyncConnection, domain_id: int, reflection: Reflection
) -> int | None:
    """Store a reflection.

    Args:
        connection: In the transaction that also stores its proposals.

    Returns:
        Its key, or `None` if another worker has reflected on this miss already.
    """
    return await connection.scalar(
        upsert(ReflectionRow)
        .values(
            domain_id=domain_id,
            session_id=reflection.session_id,
            model=reflection.model,
            prompt_version=reflection.prompt_version,
            rank=reflection.rank,
            diagnosis=reflection.diagnosis,
            messages=[dict(message) for message in reflection.messages],
        )
        .on_conflict_do_nothing()
        .returning(ReflectionRow.id)
    )


async def store_proposal(
    connection: AsyncConnection, domain_id: int, reflection_id: int | None, proposal: Proposal
) -> None:
    """Record a proposed hint.

    Args:
        connection: In a transaction.
        reflection_id: Of the reflection it came from, or `None` if a person proposed it.
    """
    await connection.execute(
        insert(ProposalRow).values(
            domain_id=domain_id,
            reflection_id=reflection_id,
            text=proposal.text,
            outcome=proposal.outcome,
            reason=proposal.reason,
            hint_id=proposal.hint_id,
            verification=dict(proposal.verification),
        )
    )


async def settled_sessions(
    connection: AsyncConnection,
    domain_id: int,
    model: str,
    ranking_version: str,
    reflecting_version: str,
    *,
    retrieved: int,
    among: int | None = None,
) -> set[int]:
    """Return the training sessions that need no more learning: hits, and misses reflected upon.

    Args:
        retrieved: How many candidates a session without its own is given.
    """
    hits = select(TrialRow.session_id).join(SessionRow, SessionRow.id == TrialRow.session_id)
    hits = hits.where(
        TrialRow.domain_id == domain_id,
        TrialRow.hint_key == NO_HINT,
        TrialRow.model == model,
        TrialRow.prompt_version == ranking_version,
        TrialRow.rank <= hit_ranks_of(_candidates(domain_id, retrieved)),
    )
    reflected = select(ReflectionRow.session_id).where(
        ReflectionRow.domain_id == domain_id,
        ReflectionRow.model == model,
        ReflectionRow.prompt_version == reflecting_version,
    )
    if among is not None:
        hits = hits.where(TrialRow.session_id == among)
        reflected = reflected.where(ReflectionRow.session_id == among)
    return {*await connection.scalars(hits), *await connection.scalars(reflected)}


def _candidates(domain_id: int, retrieved: int) -> ColumnElement[int]:
    """Return how many candidates a session has: its own, or else those that can be retrieved."""
    items = select(func.count()).where(ItemRow.domain_id == domain_id).scalar_subquery()
    chosen = func.unnest(SessionRow.history).column_valued()
    excluded = select(func.count(chosen.distinct())).scalar_subquery()
    return func.coalesce(
        func.cardinality(SessionRow.candidates), func.least(retrieved, items - excluded)
    )
