"""Rewards that an autopilot has counted, and since when: what it expects outlives the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    op.add_column(
        "autopilot",
        sa.Column("reward_since", moment, server_default=sa.func.now(), nullable=False),
        schema="re2llm",
    )
    rewards: sa.Column[object] = sa.Column("rewards", JSONB(), nullable=True)
    op.add_column("autopilot", rewards, schema="re2llm")


def downgrade() -> None:
    """Undo."""
    for column in ("rewards", "reward_since"):
        op.drop_column("autopilot", column, schema="re2llm")
