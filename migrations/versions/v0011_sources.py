"""Where training sessions, recommendations and feedback came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. What is stored already counts as loaded from files, or as sent without a key."""
    for table, source in (("session", "file"), ("recommendation", "local"), ("feedback", "local")):
        column = sa.Column("source", sa.Text(), server_default=source, nullable=False)
        op.add_column(table, column, schema="re2llm")
    moment = sa.Column("created_at", sa.DateTime(timezone=True), nullable=True)
    op.add_column("session", moment, schema="re2llm")
    # Set afterwards, so that older sessions get no wrong date.
    op.alter_column("session", "created_at", server_default=sa.func.now(), schema="re2llm")
    op.create_index(
        "ix_session_observed",
        "session",
        ["domain_id", "source"],
        schema="re2llm",
        postgresql_where=sa.text("source <> 'file'"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_session_observed", "session", schema="re2llm")
    op.drop_column("session", "created_at", schema="re2llm")
    for table in ("feedback", "recommendation", "session"):
        op.drop_column(table, "source", schema="re2llm")
