"""The tables of answered requests, of feedback on them, and of paid model calls."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    false,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base, hint_reference


class RecommendationRow(Base):
    """One answered request, with the probability of its hint for off-policy evaluation."""

    __tablename__ = "recommendation"
    __table_args__ = (
        Index(None, "domain_id", "created_at"),
        hint_reference(),
        Index(None, "domain_id", "hint_id", postgresql_where=sql("hint_id IS NOT NULL")),
        Index(
            "ix_recommendation_hint_ids",
            "hint_ids",
            postgresql_using="gin",
            postgresql_where=sql("hint_ids IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    history: Mapped[list[str]]
    candidates: Mapped[list[str]]
    ranking: Mapped[list[str]]
    policy: Mapped[str]
    hint_id: Mapped[int | None]
    """The first that was picked, if there are several."""
    hint_ids: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    """Several hints in the order in which they were picked; `None` for at most one."""
    probability: Mapped[float]
    """Probability with which the policy chose this hint, these hints in any order, or none."""
    step_probabilities: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    """For each step of a policy that may pick several: the probability with which it picked the
    next hint or stopped, given those before. `None` for a policy that gives at most one."""
    model: Mapped[str]
    prompt_version: Mapped[str]
    flags: Mapped[list[str]]
    """What went wrong on the way, such as `completed`; empty for a clean answer."""
    latency_ms: Mapped[float]
    tokens: Mapped[dict[str, Any]]
    source: Mapped[str] = mapped_column(server_default="local")
    """The id of the API key that asked, or `local`."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class FeedbackRow(Base):
    """What a person did with a recommendation; stored once."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index(
            "ix_feedback_to_learn",
            "created_at",
            postgresql_where=sql("learnt_at IS NULL AND missed"),
        ),
    )

    recommendation_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("recommendation.id", ondelete="CASCADE"), primary_key=True
    )
    picked: Mapped[str | None]
    """Id of the item that was chosen; `None` for none of these."""
    reward: Mapped[float]
    """NDCG@10 of the picked item's rank; 0 for none of these."""
    missed: Mapped[bool] = mapped_column(server_default=false())
    """Whether an item was picked that did not rank among the best fifth, at most the best 10."""
    source: Mapped[str] = mapped_column(server_default="local")
    """The id of the API key that it came with, or `local`."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    learnt_at: Mapped[dt.datetime | None]
    """When the learner was done with this miss."""


class LogprobsRow(Base):
    """Whether a model's server gives log-probabilities."""

    __tablename__ = "llm_logprobs"

    model: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str] = mapped_column(primary_key=True)
    """Its base URL; empty for the provider's own."""
    given: Mapped[bool]
    found_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class LlmCallRow(Base):
    """One paid question to a model: the ledger, and the cache of answers. Holds no prompt."""

    __tablename__ = "llm_call"
    __table_args__ = (
        Index(None, "key", postgresql_where=sql("answer IS NOT NULL")),
        Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    """Digest of model, server and prompt."""
    command: Mapped[str]
    """What asked, such as `learn`."""
    purpose: Mapped[str]
    """Its purpose: rank, rate, trace, repair, reflect, compare, chat or probe."""
    model: Mapped[str]
    method: Mapped[str]
    """How the model was held to the answer's form; empty if there was no answer."""
    outcome: Mapped[str]
    """`ok`, `misshapen`, or the kind of failure."""
    answer: Mapped[str | None]
    """The model's text, if it may answer the same prompt again."""
    requests: Mapped[int]
    """Requests to the provider, retries included."""
    hits: Mapped[int] = mapped_column(server_default="0")
    """How often the answer was used again without payment."""
    tokens_in: Mapped[int]
    tokens_out: Mapped[int]
    tokens_cached: Mapped[int] = mapped_column(server_default="0")
    """Prompt tokens that the provider had in its cache."""
    estimated: Mapped[bool]
    """Whether the tokens are estimated, since the model counted none."""
    latency_ms: Mapped[float]
    cost: Mapped[float | None]
    """The cost by the price table of that day; `None` if it had no price."""
    saved: Mapped[float] = mapped_column(server_default="0")
    """How much more it would have cost without a batch or a cache."""
    api_key_id: Mapped[str | None]
    """The key that asked, if one did."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class LlmBatchRow(Base):
    """Questions that were sent to a provider together. Holds no prompt."""

    __tablename__ = "llm_batch"
    __table_args__ = (
        Index(
            "ix_llm_batch_open",
            "model",
            "server",
            "prompt_version",
            postgresql_where=sql("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    model: Mapped[str]
    server: Mapped[str]
    """Its base URL; empty for the provider's own."""
    prompt_version: Mapped[str]
    command: Mapped[str]
    """What asked, such as `train`."""
    method: Mapped[str]
    """How the model is held to the answer's form."""
    keys: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary))
    """Keys of the questions, as in `llm_call`."""
    file_id: Mapped[str]
    """The provider's name for the file of questions."""
    remote_id: Mapped[str | None]
    """The provider's name for the batch; `None` until it has confirmed it."""
    status: Mapped[str] = mapped_column(server_default="new")
    """As the provider last gave it."""
    ended_at: Mapped[dt.datetime | None]
    """When its answers were booked."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
