"""A number that counts up with withdrawals, which leave most of what is cached as it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "domain",
        sa.Column("withdrawals", sa.Integer(), server_default="0", nullable=False),
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("domain", "withdrawals", schema="re2llm")
