"""Reflections on misses and the hints they proposed: the provenance of every hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, func, insert, not_, select, true
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from ...records import Flag
from ..prompted_model import PromptedModel, of_model
from ..schema.reflections import BatchedMissRow, ProposalRow, ReflectionRow
from ..schema.tables import ItemRow, SessionRow, TrialRow
from .hints import NO_HINT
from .trials import hit_ranks_of

Outcome = Literal["stored", "duplicate", "leak", "ineffective", "surplus"]
"""What became of a proposed hint; `surplus`: it passed, but there was room only for better ones."""


@dataclass(frozen=True, slots=True)
class Reflection:
    """A miss and the conversation about it.

    Attributes:
        session_id: Key of the training session.
        model: Name of the ranking model, which missed it.
        prompt_version: Version of the reflection prompts.
        rank: The target's rank.
        diagnosis: Why it was missed, in the model's words.
        messages: Role and content of each message, in order.
        batch: Further misses that it is about: where the target stood, by the session's key.
        hintless_of: Name of the reflecting model, if it declined to answer, or gave no hint that
            could be tried: another one may. Else empty.
    """

    session_id: int
    model: str
    prompt_version: str
    rank: int
    diagnosis: str
    messages: Sequence[Mapping[str, str]]
    batch: Mapping[int, int] = field(default_factory=dict[int, int])
    hintless_of: str = ""


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
        connection: A connection in the transaction that also stores its proposals.

    Returns:
        Its key, or `None` if another worker has reflected on this miss already.
    """
    version = reflection.prompt_version
    if reflection.hintless_of:
        version = _hintless(version, reflection.hintless_of)
    stored = await connection.scalar(
        upsert(ReflectionRow)
        .values(
            domain_id=domain_id,
            session_id=reflection.session_id,
            model=reflection.model,
            prompt_version=version,
            rank=reflection.rank,
            diagnosis=reflection.diagnosis,
            messages=[dict(message) for message in reflection.messages],
        )
        .on_conflict_do_nothing()
        .returning(ReflectionRow.id)
    )
    if stored is not None and reflection.batch:
        further = [
            {"reflection_id": stored, "session_id": session, "rank": rank}
            for session, rank in reflection.batch.items()
        ]
        await connection.execute(insert(BatchedMissRow), further)
    return stored


async def store_proposal(
    connection: AsyncConnection, domain_id: int, reflection_id: int | None, proposal: Proposal
) -> None:
    """Record a proposed hint.

    Args:
        connection: A connection in a transaction.
        reflection_id: The id of the reflection it came from, or `None` if a person proposed it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MissQuery:
    """What is a miss to learn from, and who reflects on it.

    Attributes:
        prompted_model: What ranks.
        retrieved: How many candidates a session without its own is given.
        asked_about: About how many of the first stage's best the model is asked; `None` for all.
        reflect_model: What reflects; where it gave no hint, that settles nothing for another one.
        reflect_version: Version of the reflection prompts.
    """

    prompted_model: PromptedModel
    retrieved: int
    asked_about: int | None
    reflect_model: str
    reflect_version: str


async def settled_sessions(
    connection: AsyncConnection, domain_id: int, query: MissQuery, *, among: int | None = None
) -> set[int]:
    """Return the training sessions that need no more learning.

    Those are misses reflected on, and all that were ranked and can teach nothing.

    Args:
        among: Look at this session alone.
    """
    ranked = _plain(domain_id, query).where(not_(_teaches(domain_id, query)))
    reflected = _reflected(domain_id, query)
    if among is not None:
        ranked = ranked.where(TrialRow.session_id == among)
        columns = (ReflectionRow.session_id, BatchedMissRow.session_id)
        reflected = [
            some.where(column == among) for some, column in zip(reflected, columns, strict=True)
        ]
    found: set[int] = set()
    for statement in (ranked, *reflected):
        found.update(await connection.scalars(statement))
    return found


async def waiting_misses(
    connection: AsyncConnection, domain_id: int, query: MissQuery
) -> list[int]:
    """Return the training sessions that are known to be missed, and were not reflected on."""
    missed = _plain(domain_id, query).where(_teaches(domain_id, query))
    for reflected in _reflected(domain_id, query):
        missed = missed.where(TrialRow.session_id.not_in(reflected))
    return list(await connection.scalars(missed.order_by(TrialRow.session_id)))


def _plain(domain_id: int, query: MissQuery) -> Select[int]:
    """Select the sessions that were ranked without a hint."""
    return (
        select(TrialRow.session_id)
        .join(SessionRow, SessionRow.id == TrialRow.session_id)
        .where(
            TrialRow.domain_id == domain_id,
            TrialRow.hint_key == NO_HINT,
            of_model(TrialRow, query.prompted_model),
        )
    )


def _teaches(domain_id: int, query: MissQuery) -> ColumnElement[bool]:
    """Return whether a trial is a miss to learn from: the model saw the target, and answered."""
    missed = TrialRow.rank > hit_ranks_of(_candidates(domain_id, query.retrieved))
    # A trial is kept without an answer where the model declines the prompt, as it will again.
    answered = not_(TrialRow.flags.contains([Flag.MODEL_FAILED.value]))
    asked = query.asked_about
    return and_(missed, answered, true() if asked is None else TrialRow.rank <= asked)


def _hintless(version: str, reflect_model: str) -> str:
    """Return the prompt version of what a model gave no hint about: another one may still."""
    return f"{version} declined by {reflect_model}"


def _reflected(domain_id: int, query: MissQuery) -> list[Select[int]]:
    """Select the sessions that were reflected on, alone or as the first, and as others."""
    version = query.reflect_version
    about = (
        ReflectionRow.domain_id == domain_id,
        ReflectionRow.model == query.prompted_model.model,
        ReflectionRow.prompt_version.in_([version, _hintless(version, query.reflect_model)]),
    )
    alone = select(ReflectionRow.session_id).where(*about)
    others = select(BatchedMissRow.session_id).join(ReflectionRow).where(*about)
    return [alone, others]


def _candidates(domain_id: int, retrieved: int) -> ColumnElement[int]:
    """Return how many candidates a session has: its own, or else those that can be retrieved."""
    items = select(func.count()).where(ItemRow.domain_id == domain_id).scalar_subquery()
    chosen = func.unnest(SessionRow.history).column_valued()
    excluded = select(func.count(chosen.distinct())).scalar_subquery()
    return func.coalesce(
        func.cardinality(SessionRow.candidates), func.least(retrieved, items - excluded)
    )
