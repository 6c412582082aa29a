"""Whose key an exposure came with, so that one owner alone decides no rollout.

Earlier ones count as those of this machine, as all did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "exposure",
        sa.Column("source", sa.Text(), server_default="local", nullable=False),
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("exposure", "source", schema="re2llm")
