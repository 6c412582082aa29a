"""Which API key started a job or turned an autopilot on, so that revoking it stops them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_TABLES = ("job", "autopilot")


def upgrade() -> None:
    """Apply."""
    for table in _TABLES:
        key = sa.ForeignKey(
            "re2llm.api_key.id", name=op.f(f"fk_{table}_key_id_api_key"), ondelete="SET NULL"
        )
        op.add_column(table, sa.Column("key_id", sa.Text(), key, nullable=True), schema="re2llm")
    op.create_index(op.f("ix_job_key_id"), "job", ["key_id"], schema="re2llm")


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_column(table, "key_id", schema="re2llm")
