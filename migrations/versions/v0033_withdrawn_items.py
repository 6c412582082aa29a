"""Items that a shop no longer has: known, but recommended no more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "item",
        sa.Column("withdrawn", sa.Boolean(), server_default=sa.false(), nullable=False),
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("item", "withdrawn", schema="re2llm")
