"""Whether feedback shows a miss: what counts as one depends on the number of candidates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INDEX = "ix_feedback_to_learn"


def upgrade() -> None:
    """Apply. Older feedback keeps what it was: a miss if the item was not among the best 10."""
    missed = sa.Column("missed", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("feedback", missed, schema="re2llm")
    op.execute("UPDATE re2llm.feedback SET missed = true WHERE picked IS NOT NULL AND reward = 0")
    _replace_index("learnt_at IS NULL AND missed")


def downgrade() -> None:
    """Undo."""
    _replace_index("learnt_at IS NULL AND reward = 0 AND picked IS NOT NULL")
    op.drop_column("feedback", "missed", schema="re2llm")


def _replace_index(where: str) -> None:
    op.drop_index(_INDEX, table_name="feedback", schema="re2llm")
    op.create_index(
        _INDEX, "feedback", ["created_at"], schema="re2llm", postgresql_where=sa.text(where)
    )
