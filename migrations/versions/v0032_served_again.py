"""Lists the answers that were served again, so that costs are summed without reading all calls."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_llm_call_served_again",
        "llm_call",
        ["created_at"],
        schema="re2llm",
        postgresql_include=["command", "model", "api_key_id", "hits"],
        postgresql_where="hits > 0",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_llm_call_served_again", "llm_call", schema="re2llm")
