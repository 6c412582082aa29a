"""The log of answered requests."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.log import RecommendationRow
from ..sessions.sources import LOCAL
from ..uuids import uuid_of

_LOGGED = insert(RecommendationRow)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One answered request.

    Attributes:
        domain_id: Its domain.
        history: Item ids, oldest first.
        candidates: Item ids, as numbered in the prompt.
        ranking: The candidates, best first.
        policy: What chose the hint.
        hint_id: The hint, or `None`; of several, the first that was picked.
        probability: The probability with which the policy chose so.
        model: Name of the ranking model.
        prompt_version: Version of the ranking prompt.
        flags: What went wrong on the way.
        latency_ms: Latency of the model call or calls, in milliseconds.
        tokens: Tokens in and out, where the model counts them.
        source: The id of the API key that asked, or `local`.
        id: The id by which feedback refers to it.
        hint_ids: The ids of several hints, in the order in which they were picked; else empty.
        step_probabilities: The probability of each step of a policy that may pick several hints;
            else empty.
    """

    domain_id: int
    history: Sequence[str]
    candidates: Sequence[str]
    ranking: Sequence[str]
    policy: str
    hint_id: int | None
    probability: float
    model: str
    prompt_version: str
    flags: Sequence[str]
    latency_ms: float
    tokens: Mapping[str, int] = field(default_factory=dict[str, int])
    source: str = LOCAL
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    hint_ids: Sequence[int] = ()
    step_probabilities: Sequence[float] = ()


async def log_recommendations(
    connection: AsyncConnection, answered: Sequence[Recommendation]
) -> None:
    """Store answered requests."""
    await connection.execute(_LOGGED, [_row(made) for made in answered])


def _row(made: Recommendation) -> dict[str, Any]:
    return {
        "id": made.id,
        "domain_id": made.domain_id,
        "history": list(made.history),
        "candidates": list(made.candidates),
        "ranking": list(made.ranking),
        "policy": made.policy,
        "hint_id": made.hint_id,
        "probability": made.probability,
        "model": made.model,
        "prompt_version": made.prompt_version,
        "flags": list(made.flags),
        "latency_ms": made.latency_ms,
        "tokens": dict(made.tokens),
        "source": made.source,
        "hint_ids": list(made.hint_ids) or None,
        "step_probabilities": list(made.step_probabilities) or None,
    }


async def shown_ranking(
    connection: AsyncConnection, domain_id: int, recommendation_id: str
) -> list[str]:
    """Return the ranking of an answered request; empty where the domain has no such request."""
    key = uuid_of(recommendation_id)
    if key is None:
        return []
    ranking = await connection.scalar(
        select(RecommendationRow.ranking).where(
            RecommendationRow.id == key, RecommendationRow.domain_id == domain_id
        )
    )
    return list(ranking or ())
