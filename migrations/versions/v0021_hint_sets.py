"""Several hints at once: in trials and in the log of answers.

Rows that were there hold at most one hint and stay as they are: `NULL` says so. Older servers go on
beside newer ones, since they neither need nor fill the new columns.
"""

# SQLAlchemy leaves the type arguments of `ARRAY` and `Double` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "hint_trial",
        sa.Column("hint_keys", sa.ARRAY(sa.LargeBinary()), nullable=True),
        schema="re2llm",
    )
    op.add_column(
        "recommendation",
        sa.Column("hint_ids", sa.ARRAY(sa.Integer()), nullable=True),
        schema="re2llm",
    )
    op.add_column(
        "recommendation",
        sa.Column("step_probabilities", sa.ARRAY(sa.Double()), nullable=True),
        schema="re2llm",
    )
    op.create_index(
        "ix_recommendation_hint_ids",
        "recommendation",
        ["hint_ids"],
        schema="re2llm",
        postgresql_using="gin",
        postgresql_where=sa.text("hint_ids IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo. Trials of several hints go; an answer keeps the first of its hints."""
    op.drop_index("ix_recommendation_hint_ids", "recommendation", schema="re2llm")
    op.drop_column("recommendation", "step_probabilities", schema="re2llm")
    op.drop_column("recommendation", "hint_ids", schema="re2llm")
    op.execute("DELETE FROM re2llm.hint_trial WHERE hint_keys IS NOT NULL")
    op.drop_column("hint_trial", "hint_keys", schema="re2llm")
