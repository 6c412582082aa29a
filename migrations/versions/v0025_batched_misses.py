"""The further misses that a reflection on several was about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "batched_miss",
        sa.Column("reflection_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("reflection_id", "session_id", name=op.f("pk_batched_miss")),
        sa.ForeignKeyConstraint(
            ["reflection_id"],
            ["re2llm.reflection.id"],
            name=op.f("fk_batched_miss_reflection_id_reflection"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["re2llm.session.id"],
            name=op.f("fk_batched_miss_session_id_session"),
            ondelete="CASCADE",
        ),
        schema="re2llm",
    )
    op.create_index("ix_batched_miss_session_id", "batched_miss", ["session_id"], schema="re2llm")


def downgrade() -> None:
    """Take back."""
    op.drop_table("batched_miss", schema="re2llm")
