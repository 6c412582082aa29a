"""The tables, all in the schema `re2llm` so that they never meet a host's or LangGraph's own."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "re2llm"
EMBEDDING_DIM = 384
"""Width of the sentence embeddings (all-MiniLM-L6-v2)."""


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


class DomainRow(Base):
    """A catalogue with its sessions and hints; everything else hangs on one."""

    __tablename__ = "domain"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    encoder: Mapped[str]
    """Id of the text encoder that made the embeddings."""
    revision: Mapped[int] = mapped_column(server_default="0")
    """Counts up whenever items or training sessions change, so that caches know."""


class ItemRow(Base):
    """One catalogue item."""

    __tablename__ = "item"

    domain_id: Mapped[int] = mapped_column(
        ForeignKey("domain.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    attributes: Mapped[dict[str, Any]]
    popularity: Mapped[int] = mapped_column(server_default="0")
    """Training sessions that hold the item."""
    embedding: Mapped[Any] = mapped_column(Vector(EMBEDDING_DIM))


class SessionRow(Base):
    """One training session. Evaluation sessions are never stored."""

    __tablename__ = "session"
    __table_args__ = (UniqueConstraint("domain_id", "key"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    key: Mapped[bytes] = mapped_column(LargeBinary)
    """Digest of the content and its repeat number within its file: loading twice adds nothing."""
    history: Mapped[list[str]]
    target: Mapped[str]
    candidates: Mapped[list[str] | None] = mapped_column(ARRAY(Text))


class HintRow(Base):
    """A short imperative lesson that may be given to the model."""

    __tablename__ = "hint"
    __table_args__ = (
        UniqueConstraint("domain_id", "text"),
        CheckConstraint("status IN ('pending', 'active', 'retired')", name="status"),
        Index(None, "domain_id", "status"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    text: Mapped[str]
    embedding: Mapped[Any] = mapped_column(Vector(EMBEDDING_DIM))
    status: Mapped[str] = mapped_column(server_default="active")
    provenance: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'::jsonb"))
    """Where it came from: a person, or a miss with its conversation."""
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class RecommendationRow(Base):
    """One answered request, with the probability of its hint for off-policy evaluation."""

    __tablename__ = "recommendation"
    __table_args__ = (Index(None, "domain_id", "created_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domain.id", ondelete="CASCADE"))
    history: Mapped[list[str]]
    candidates: Mapped[list[str]]
    ranking: Mapped[list[str]]
    policy: Mapped[str]
    hint_id: Mapped[int | None] = mapped_column(ForeignKey("hint.id", ondelete="SET NULL"))
    probability: Mapped[float]
    """With which the policy chose this hint, or chose none."""
    model: Mapped[str]
    prompt_version: Mapped[str]
    flags: Mapped[list[str]]
    """What went wrong on the way, such as `completed`; empty for a clean answer."""
    latency_ms: Mapped[float]
    tokens: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
