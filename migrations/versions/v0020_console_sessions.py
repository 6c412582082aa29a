"""Sessions of the console, and an index that counts how often a hint was used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "console_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_console_session")),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["re2llm.api_key.id"],
            name=op.f("fk_console_session_key_id_api_key"),
            ondelete="CASCADE",
        ),
        schema="re2llm",
    )
    op.create_index("ix_console_session_key_id", "console_session", ["key_id"], schema="re2llm")
    op.create_index(
        "ix_recommendation_hint_id",
        "recommendation",
        ["hint_id"],
        schema="re2llm",
        postgresql_where=sa.text("hint_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_recommendation_hint_id", "recommendation", schema="re2llm")
    op.drop_table("console_session", schema="re2llm")
