"""The order in which a catalogue lists its items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "item",
        sa.Column("place", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("item", "place", schema="re2llm")
