"""Policy releases and feedback."""

# SQLAlchemy leaves the type argument of `Double` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "policy_release",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), server_default="inactive", nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("hint_set", sa.Text(), nullable=False),
        sa.Column("hint_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('active', 'inactive')", name=op.f("ck_policy_release_status")
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_policy_release_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_release")),
        schema="re2llm",
    )
    op.create_index(
        "uq_policy_release_active",
        "policy_release",
        ["domain_id"],
        unique=True,
        schema="re2llm",
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "feedback",
        sa.Column("recommendation_id", sa.Uuid(), nullable=False),
        sa.Column("picked", sa.Text(), nullable=True),
        sa.Column("reward", sa.Double(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["recommendation_id"],
            ["re2llm.recommendation.id"],
            name=op.f("fk_feedback_recommendation_id_recommendation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recommendation_id", name=op.f("pk_feedback")),
        schema="re2llm",
    )
    op.add_column(
        "hint",
        sa.Column("trials", sa.Integer(), server_default="0", nullable=False),
        schema="re2llm",
    )
    op.add_column(
        "hint",
        sa.Column("mean_gain", sa.Double(), server_default="0", nullable=False),
        schema="re2llm",
    )
    op.add_column(
        "hint",
        sa.Column("gain_error", sa.Double(), server_default="0", nullable=False),
        schema="re2llm",
    )
    op.add_column(
        "hint",
        sa.Column("helped", sa.Integer(), server_default="0", nullable=False),
        schema="re2llm",
    )
    op.add_column(
        "hint",
        sa.Column("harmed", sa.Integer(), server_default="0", nullable=False),
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("hint", "harmed", schema="re2llm")
    op.drop_column("hint", "helped", schema="re2llm")
    op.drop_column("hint", "gain_error", schema="re2llm")
    op.drop_column("hint", "mean_gain", schema="re2llm")
    op.drop_column("hint", "trials", schema="re2llm")
    op.drop_table("feedback", schema="re2llm")
    op.drop_index(
        "uq_policy_release_active",
        table_name="policy_release",
        schema="re2llm",
        postgresql_where=sa.text("status = 'active'"),
    )
    op.drop_table("policy_release", schema="re2llm")
