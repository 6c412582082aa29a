"""Which training sessions are the recent ones, where their order tells time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "domain", sa.Column("recent_from", sa.BigInteger(), nullable=True), schema="re2llm"
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("domain", "recent_from", schema="re2llm")
