"""What people did with recommendations: stored once, the reward of every later estimate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...rank_metrics import hit_ranks, ndcg
from ..bounded_rows import bounded_rows
from ..domains import Domain
from ..releases import RELEASE
from ..rollouts.exposures import note_reward
from ..schema.log import FeedbackRow, RecommendationRow
from ..schema.rollouts import ExposureRow, RolloutRow
from ..schema.tables import ItemRow
from ..sessions.sources import LOCAL
from ..texts import storable
from ..uuids import uuid_of

MOST_DECISIONS = 50_000
"""Most decisions to compare a release on."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What became of a recommendation.

    Attributes:
        recommendation_id: The id that the answer carried.
        picked: Id of the chosen item, or `None` for none of these.
        rank: The item's rank in the whole ranking; `None` if it was not in it.
        reward: NDCG@10 of that rank. None of these, and an item that was not among the
            candidates, count 0, as a target that is missed does everywhere else.
        missed: Whether an item was picked that did not rank among the first `hit_ranks`.
        model: Name of the model that ranked.
        new: Whether it was stored just now.
        rollout: Key of the rollout that the recommendation is an exposure of, if it is one.
    """

    recommendation_id: str
    picked: str | None
    rank: int | None
    reward: float
    missed: bool
    model: str
    new: bool
    rollout: int | None = None


async def store_feedback(
    connection: AsyncConnection,
    domain: Domain,
    recommendation_id: str,
    picked: str | None,
    *,
    source: str = LOCAL,
) -> Feedback:
    """Store what a person did with a recommendation, once; saying the same again changes nothing.

    Args:
        connection: A connection in a transaction.
        domain: The domain of the recommendation; another domain's is not found.
        picked: Id of the chosen item of the catalogue, or `None` for none of these.
        source: The id of the API key that it came with, or `local`.

    Raises:
        InputError: The domain has no such recommendation or item, or the feedback differs from
            what is stored already.
    """
    key = uuid_of(recommendation_id)
    made = (
        key
        and (
            await connection.execute(
                select(RecommendationRow.ranking, RecommendationRow.model).where(
                    RecommendationRow.id == key, RecommendationRow.domain_id == domain.id
                )
            )
        ).one_or_none()
    )
    if not made:
        raise InputError(
            "recommendation_id",
            f"Domain {domain.name!r} has no recommendation {recommendation_id[:40]!r}.",
            "Send the `recommendation_id` of an answer in that domain.",
        )
    rank = made.ranking.index(picked) + 1 if picked in made.ranking else None
    if picked is not None and rank is None:
        await _require_item(connection, domain, picked)
    reward = 0.0 if rank is None else ndcg(rank)
    missed = picked is not None and (rank is None or rank > hit_ranks(len(made.ranking)))
    new = await connection.scalar(
        insert(FeedbackRow)
        .values(recommendation_id=key, picked=picked, reward=reward, missed=missed, source=source)
        .on_conflict_do_nothing()
        .returning(FeedbackRow.recommendation_id)
    )
    if new is None:
        stored = await connection.scalar(
            select(FeedbackRow.picked).where(FeedbackRow.recommendation_id == key)
        )
        if stored != picked:
            raise InputError(
                "picked",
                f"Feedback on this recommendation is stored already: {stored or 'none of these'}.",
                "Ask for a new recommendation.",
            )
        return Feedback(str(key), picked, rank, reward, missed, made.model, new=False)
    rollout = await note_reward(connection, new, reward, picked=picked is not None, source=source)
    return Feedback(str(key), picked, rank, reward, missed, made.model, new=True, rollout=rollout)


async def _require_item(connection: AsyncConnection, domain: Domain, item: str) -> None:
    there = storable(item) and await connection.scalar(
        select(ItemRow.id).where(ItemRow.domain_id == domain.id, ItemRow.id == item)
    )
    if not there:
        raise InputError(
            "picked",
            f"Domain {domain.name!r} has no item {item[:40]!r}.",
            "Send the id of an item, or none if nothing was picked.",
        )


HintChosen: TypeAlias = int | tuple[int, ...] | None
"""A hint's id, `None` for no hint, or the ids of several in ascending order."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A logged choice of hints with its reward.

    Attributes:
        history: Item ids, oldest first.
        candidates: Item ids.
        policy: What chose the hint.
        hint_id: The hint, or `None`; of several, the first that was picked.
        probability: The probability with which it was chosen, or the several in any order.
        model: Name of the ranking model.
        prompt_version: Version of the ranking prompt.
        picked: Id of the chosen item, or `None` for none of these.
        reward: NDCG@10 of the picked item.
        hint_ids: The ids of several hints, in the order in which they were picked; else `None`.
        arms: Both policies of a rollout that drew the release; else empty.
        made_at: When it was ranked; `None` where that is not known.
    """

    history: Sequence[str]
    candidates: Sequence[str]
    policy: str
    hint_id: int | None
    probability: float
    model: str
    prompt_version: str
    picked: str | None
    reward: float
    hint_ids: Sequence[int] | None = None
    arms: tuple[str, ...] = ()
    made_at: dt.datetime | None = None

    @property
    def policies(self) -> tuple[str, ...]:
        """All that `probability` is over."""
        return self.arms or (self.policy,)

    @property
    def choice(self) -> HintChosen:
        """What was given."""
        return tuple(sorted(self.hint_ids)) if self.hint_ids else self.hint_id


async def logged_decisions(connection: AsyncConnection, domain_id: int) -> list[Decision]:
    """Return the latest recommendations that got feedback, oldest first."""
    newest = (
        select(
            RecommendationRow.history,
            RecommendationRow.candidates,
            RecommendationRow.policy,
            RecommendationRow.hint_id,
            RecommendationRow.probability,
            RecommendationRow.model,
            RecommendationRow.prompt_version,
            FeedbackRow.picked,
            FeedbackRow.reward,
            RecommendationRow.hint_ids,
            RecommendationRow.created_at,
            RolloutRow.release,
            RolloutRow.control,
        )
        .join(FeedbackRow, FeedbackRow.recommendation_id == RecommendationRow.id)
        .outerjoin(
            ExposureRow,
            and_(
                ExposureRow.recommendation_id == RecommendationRow.id,
                ExposureRow.probability < 1,  # else one of the two had served in any case
            ),
        )
        .outerjoin(RolloutRow, RolloutRow.id == ExposureRow.rollout_id)
        .where(RecommendationRow.domain_id == domain_id)
        .order_by(RecommendationRow.created_at.desc(), RecommendationRow.id.desc())
    )
    rows = await bounded_rows(connection, newest, MOST_DECISIONS)
    return [Decision(*row[:-3], made_at=row[-3], arms=_arms(*row[-2:])) for row in reversed(rows)]


def _arms(release: int | None, control: int | None) -> tuple[str, ...]:
    if release is None:
        return ()
    return f"{RELEASE}{release}", "static" if control is None else f"{RELEASE}{control}"
