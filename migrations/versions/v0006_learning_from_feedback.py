"""Which misses, known from feedback, were learned from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "feedback",
        sa.Column("learnt_at", sa.DateTime(timezone=True), nullable=True),
        schema="re2llm",
    )
    op.create_index(
        "ix_feedback_to_learn",
        "feedback",
        ["created_at"],
        schema="re2llm",
        postgresql_where=sa.text("learnt_at IS NULL AND reward = 0 AND picked IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_feedback_to_learn", table_name="feedback", schema="re2llm")
    op.drop_column("feedback", "learnt_at", schema="re2llm")
