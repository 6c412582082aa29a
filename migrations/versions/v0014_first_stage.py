"""First stages, learned from past sessions alone, and how much a model counts beside them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "first_stage",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_first_stage_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_first_stage")),
        schema="re2llm",
    )
    op.create_index(op.f("ix_first_stage_domain_id"), "first_stage", ["domain_id"], schema="re2llm")
    op.create_table(
        "fusion",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("learned", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_fusion_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "domain_id", "model", "prompt_version", "policy", name=op.f("pk_fusion")
        ),
        schema="re2llm",
    )
    op.create_index(
        "ix_item_popularity",
        "item",
        ["domain_id", sa.text("popularity DESC")],
        schema="re2llm",
        postgresql_where=sa.text("popularity > 0"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_item_popularity", "item", schema="re2llm")
    op.drop_table("fusion", schema="re2llm")
    op.drop_table("first_stage", schema="re2llm")
