"""Domains items sessions hints and recommendations."""

# SQLAlchemy leaves the type argument of `Double` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.create_table(
        "domain",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domain")),
        sa.UniqueConstraint("name", name=op.f("uq_domain_name")),
        schema="re2llm",
    )
    op.create_table(
        "hint",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("embedding", Vector(384), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column(
            "provenance",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'retired')", name=op.f("ck_hint_status")
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_hint_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hint")),
        sa.UniqueConstraint("domain_id", "text", name=op.f("uq_hint_domain_id_text")),
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_hint_domain_id_status"),
        "hint",
        ["domain_id", "status"],
        unique=False,
        schema="re2llm",
    )
    op.create_table(
        "item",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("popularity", sa.Integer(), server_default="0", nullable=False),
        sa.Column("embedding", Vector(384), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_item_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("domain_id", "id", name=op.f("pk_item")),
        schema="re2llm",
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("history", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("candidates", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_session_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("domain_id", "key", name=op.f("uq_session_domain_id_key")),
        schema="re2llm",
    )
    op.create_table(
        "recommendation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("history", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("candidates", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("ranking", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("hint_id", sa.Integer(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("flags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        sa.Column("tokens", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_recommendation_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["hint_id"],
            ["re2llm.hint.id"],
            name=op.f("fk_recommendation_hint_id_hint"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommendation")),
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_recommendation_domain_id_created_at"),
        "recommendation",
        ["domain_id", "created_at"],
        unique=False,
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index(
        op.f("ix_recommendation_domain_id_created_at"), table_name="recommendation", schema="re2llm"
    )
    op.drop_table("recommendation", schema="re2llm")
    op.drop_table("session", schema="re2llm")
    op.drop_table("item", schema="re2llm")
    op.drop_index(op.f("ix_hint_domain_id_status"), table_name="hint", schema="re2llm")
    op.drop_table("hint", schema="re2llm")
    op.drop_table("domain", schema="re2llm")
