"""Trials reflections and proposals."""

# SQLAlchemy leaves the type argument of `Double` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "hint_trial",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("hint_key", sa.LargeBinary(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("ndcg", sa.Double(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("flags", postgresql.ARRAY(sa.Text()), nullable=False),
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
            name=op.f("fk_hint_trial_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["re2llm.session.id"],
            name=op.f("fk_hint_trial_session_id_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "session_id", "hint_key", "model", "prompt_version", name=op.f("pk_hint_trial")
        ),
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_hint_trial_domain_id_hint_key"),
        "hint_trial",
        ["domain_id", "hint_key"],
        unique=False,
        schema="re2llm",
    )
    op.create_table(
        "reflection",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("diagnosis", sa.Text(), nullable=False),
        sa.Column("messages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_reflection_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["re2llm.session.id"],
            name=op.f("fk_reflection_session_id_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reflection")),
        sa.UniqueConstraint(
            "session_id",
            "model",
            "prompt_version",
            name=op.f("uq_reflection_session_id_model_prompt_version"),
        ),
        schema="re2llm",
    )
    op.create_table(
        "hint_proposal",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("reflection_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("hint_id", sa.Integer(), nullable=True),
        sa.Column("verification", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "outcome IN ('stored', 'duplicate', 'leak', 'ineffective')",
            name=op.f("ck_hint_proposal_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_hint_proposal_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["hint_id"],
            ["re2llm.hint.id"],
            name=op.f("fk_hint_proposal_hint_id_hint"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["reflection_id"],
            ["re2llm.reflection.id"],
            name=op.f("fk_hint_proposal_reflection_id_reflection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hint_proposal")),
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_hint_proposal_domain_id_outcome"),
        "hint_proposal",
        ["domain_id", "outcome"],
        unique=False,
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_hint_proposal_hint_id"),
        "hint_proposal",
        ["hint_id"],
        unique=False,
        schema="re2llm",
    )
    op.add_column("hint", sa.Column("key", sa.LargeBinary(), nullable=False), schema="re2llm")
    op.drop_constraint(op.f("uq_hint_domain_id_text"), "hint", schema="re2llm", type_="unique")
    op.create_unique_constraint(
        op.f("uq_hint_domain_id_key"), "hint", ["domain_id", "key"], schema="re2llm"
    )


def downgrade() -> None:
    """Undo."""
    op.drop_constraint(op.f("uq_hint_domain_id_key"), "hint", schema="re2llm", type_="unique")
    op.create_unique_constraint(
        op.f("uq_hint_domain_id_text"),
        "hint",
        ["domain_id", "text"],
        schema="re2llm",
        postgresql_nulls_not_distinct=False,
    )
    op.drop_column("hint", "key", schema="re2llm")
    op.drop_index(op.f("ix_hint_proposal_hint_id"), table_name="hint_proposal", schema="re2llm")
    op.drop_index(
        op.f("ix_hint_proposal_domain_id_outcome"), table_name="hint_proposal", schema="re2llm"
    )
    op.drop_table("hint_proposal", schema="re2llm")
    op.drop_table("reflection", schema="re2llm")
    op.drop_index(
        op.f("ix_hint_trial_domain_id_hint_key"), table_name="hint_trial", schema="re2llm"
    )
    op.drop_table("hint_trial", schema="re2llm")
