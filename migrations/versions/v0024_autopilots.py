"""Autopilots, what they have decided, and what their jobs used each day."""

# SQLAlchemy leaves the type argument of `Double` and `JSONB` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "autopilot",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("plan", JSONB(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("usd_per_day", sa.Double(), nullable=True),
        sa.Column("calls_per_day", sa.Integer(), nullable=True),
        sa.Column("since", moment, server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("state IN ('on', 'held', 'off')", name=op.f("ck_autopilot_state")),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_autopilot")),
        _of_domain("autopilot"),
        schema="re2llm",
    )
    op.create_table(
        "autopilot_decision",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("figures", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", moment, server_default=sa.func.now(), nullable=False),
        sa.Column("last_at", moment, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_autopilot_decision")),
        _of_domain("autopilot_decision"),
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_autopilot_decision_domain_id"),
        "autopilot_decision",
        ["domain_id"],
        schema="re2llm",
    )
    op.create_table(
        "autopilot_day",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spent", sa.Double(), server_default="0", nullable=False),
        sa.Column("reserved", sa.Double(), server_default="0", nullable=False),
        sa.Column("dearest", sa.Double(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "day", name=op.f("pk_autopilot_day")),
        _of_domain("autopilot_day"),
        schema="re2llm",
    )
    piloted = sa.Column("autopilot", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("job", piloted, schema="re2llm")


def downgrade() -> None:
    """Undo."""
    op.drop_column("job", "autopilot", schema="re2llm")
    for table in ("autopilot_day", "autopilot_decision", "autopilot"):
        op.drop_table(table, schema="re2llm")


def _of_domain(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["domain_id"],
        ["re2llm.domain.id"],
        name=op.f(f"fk_{table}_domain_id_domain"),
        ondelete="CASCADE",
    )
