"""The tables, all in the schema `re2llm`, apart from those of a host and of LangGraph."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .embedding_column import EMBEDDING_DIM, Embedding

SCHEMA = "re2llm"
SHRINKAGE = 20
"""A hint's promise is shrunk by as many trials without gain: few trials prove little."""


class Base(DeclarativeBase):
    """Declarative base: one schema, and constraint names that Alembic can address."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy reads this class attribute by name
        str: Text,
        dt.datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


def hint_reference(*, ondelete: str | None = None) -> ForeignKeyConstraint:
    """Return the reference of a table with `domain_id` and `hint_id` to the hint.

    Args:
        ondelete: What happens to a row whose hint is deleted; `None` keeps the hint from it.
    """
    hint = ["hint.domain_id", "hint.id"]
    return ForeignKeyConstraint(["domain_id", "hint_id"], hint, ondelete=ondelete)


class DomainRow(Base):
    """A catalogue with its sessions and hints; everything else hangs on one."""

    __tablename__ = "domain"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    encoder: Mapped[str]
    """Id of the text encoder that made the embeddings."""
    revision: Mapped[int] = mapped_column(server_default="0")
    """Counts up whenever items or training sessions change, so that caches know."""
    withdrawals: Mapped[int] = mapped_column(server_default="0")
    """Counts up whenever items are withdrawn, so that caches of what is recommended know."""
    recent_from: Mapped[int | None] = mapped_column(BigInteger)
    """The first of the recent training sessions, if their order tells time."""
    uses_until: Mapped[dt.datetime | None]
    """Up to when `answers`, and `hint_use`, count this domain's log."""
    answers: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Recommendations that were logged until then."""
    deleted_hint: Mapped[int] = mapped_column(server_default="0")
    """The largest number of a hint that was deleted: no other hint gets it."""


class ItemRow(Base):
    """One catalogue item."""

    __tablename__ = "item"
    __table_args__ = (
        Index(
            "ix_item_popularity",
            "domain_id",
            sql("popularity DESC"),
            postgresql_where=sql("popularity > 0"),
        ),
    )

    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    attributes: Mapped[dict[str, Any]]
    popularity: Mapped[int] = mapped_column(server_default="0")
    """Training sessions that hold the item."""
    embedding: Mapped[NDArray[np.float32]] = mapped_column(Embedding())
    place: Mapped[int] = mapped_column(BigInteger, Identity())
    """Grows in the order in which the items were first loaded."""
    withdrawn: Mapped[bool] = mapped_column(server_default=sql("false"))
    """Whether it is recommended no more; it stays known."""


class SessionRow(Base):
    """One training session. Evaluation sessions are never stored."""

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("domain_id", "key"),
        Index(
            "ix_session_observed", "domain_id", "source", postgresql_where=sql("source <> 'file'")
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    key: Mapped[bytes] = mapped_column(LargeBinary)
    """Digest of the content and its repeat number within its file: loading twice adds nothing."""
    history: Mapped[list[str]]
    target: Mapped[str]
    candidates: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    source: Mapped[str] = mapped_column(server_default="file")
    """`file`, `local` (observed without an API key), or the id of the key."""
    created_at: Mapped[dt.datetime | None] = mapped_column(server_default=func.now())
    """`None` for sessions that are older than this column."""


class HintRow(Base):
    """A short imperative hint that may be given to the model."""

    __tablename__ = "hint"
    __table_args__ = (
        UniqueConstraint("domain_id", "key"),
        ForeignKeyConstraint(["domain_id", "merged_into"], ["hint.domain_id", "hint.id"]),
        Index(None, "domain_id", "merged_into"),
        CheckConstraint("status IN ('pending', 'active', 'retired')", name="status"),
        Index(
            "ix_hint_versions",
            "domain_id",
            sql("(provenance ->> 'version_of')"),
            postgresql_where=sql("(provenance ->> 'version_of') IS NOT NULL"),
        ),
        # Narrow, so that searching the texts need not read the embeddings.
        Index("ix_hint_words", "domain_id", "id", postgresql_include=["status", "text"]),
        Index("ix_hint_promise", "domain_id", "status", sql("promise DESC"), "id"),
        # On half vectors, so that only a shortlist uses it: whether a hint repeats another is
        # looked up exactly.
        Index(
            "ix_hint_meaning",
            literal_column(f"(embedding::halfvec({EMBEDDING_DIM}))", HALFVEC).label("meaning"),
            postgresql_using="hnsw",
            postgresql_ops={"meaning": "halfvec_cosine_ops"},
            postgresql_where=sql("status = 'active'"),
        ),
    )

    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[int] = mapped_column(FetchedValue(), primary_key=True, autoincrement=False)
    """1 for the domain's first hint; the trigger `number_hint` counts on."""
    key: Mapped[bytes] = mapped_column(LargeBinary)
    """Digest of the text: what trials refer to."""
    text: Mapped[str]
    embedding: Mapped[NDArray[np.float32]] = mapped_column(Embedding())
    status: Mapped[str] = mapped_column(server_default="active")
    provenance: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'::jsonb"))
    """Where it came from: a person, or a miss with its conversation."""
    merged_into: Mapped[int | None]
    """The hint that says the same; it takes over this one's trials on sessions where it has
    none."""
    trials: Mapped[int] = mapped_column(server_default="0")
    """Training sessions on which it was tried; this and the next four are the stats of the model
    that was used last, copied from `hint_stats` for the index on `promise`."""
    mean_gain: Mapped[float] = mapped_column(server_default="0")
    """Mean of NDCG@10 with the hint minus without it."""
    gain_error: Mapped[float] = mapped_column(server_default="0")
    """Standard error of that mean."""
    helped: Mapped[int] = mapped_column(server_default="0")
    harmed: Mapped[int] = mapped_column(server_default="0")
    promise: Mapped[float] = mapped_column(
        Computed(f"mean_gain * trials / (trials + {SHRINKAGE})", persisted=True)
    )
    """The shrunk mean gain; hints are sorted by it."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    status_since: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    """When the status was last set."""


class HintStatsRow(Base):
    """What a hint's trials say of it for one model and prompt; refreshed after each run."""

    __tablename__ = "hint_stats"
    __table_args__ = (hint_reference(ondelete="CASCADE"),)

    domain_id: Mapped[int] = mapped_column(primary_key=True)
    hint_id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    prompt_version: Mapped[str] = mapped_column(primary_key=True)
    trials: Mapped[int]
    mean_gain: Mapped[float]
    gain_error: Mapped[float]
    helped: Mapped[int]
    harmed: Mapped[int]


class TrialRow(Base):
    """One paid ranking of a training session, with a hint or without: the reward table."""

    __tablename__ = "hint_trial"
    __table_args__ = (Index(None, "domain_id", "hint_key"),)

    session_id: Mapped[int] = mapped_column(
        ForeignKey("session.id", ondelete="CASCADE"), primary_key=True
    )
    hint_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """Digest of the hint's text, so that refused hints have trials too; empty for no hint, and of
    the digests in `hint_keys` for several."""
    model: Mapped[str] = mapped_column(primary_key=True)
    prompt_version: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    rank: Mapped[int]
    """The target's rank among all candidates, 1 is best."""
    ndcg: Mapped[float]
    """NDCG@10 of that rank; a hint's reward is the difference to the trial without a hint."""
    answer: Mapped[str]
    """The model's raw text, so that the call is never paid for again."""
    flags: Mapped[list[str]]
    tokens: Mapped[dict[str, Any]]
    hint_keys: Mapped[list[bytes] | None] = mapped_column(ARRAY(LargeBinary))
    """The digest of each of several hints given together, in the prompt's order; else `None`."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class ReleaseRow(Base):
    """A trained hint policy with everything that it must be served with."""

    __tablename__ = "policy_release"
    __table_args__ = (
        Index(
            "uq_policy_release_active",
            "domain_id",
            unique=True,
            postgresql_where=sql("status = 'active'"),
        ),
        CheckConstraint("status IN ('active', 'inactive')", name="status"),
    )

    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1 for the domain's first release."""
    status: Mapped[str] = mapped_column(server_default="inactive")
    recipe: Mapped[str]
    weights: Mapped[bytes] = mapped_column(LargeBinary)
    """The policy's parameters, as safetensors."""
    encoder: Mapped[str]
    prompt_version: Mapped[str]
    model: Mapped[str]
    hint_set: Mapped[str]
    """Digest of the hints that it was trained on."""
    hint_ids: Mapped[list[Any]] = mapped_column(JSONB)
    """Those hints, in the order of its actions; action 0 is no hint."""
    config: Mapped[dict[str, Any]]
    """How it was trained and how its network is built."""
    metrics: Mapped[dict[str, Any]]
    """Measured on validation sessions."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    activated_at: Mapped[dt.datetime | None]
