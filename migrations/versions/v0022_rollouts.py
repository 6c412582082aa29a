"""Rollouts of releases, what was decided on them, and who was served by what."""

# SQLAlchemy leaves the type argument of `Double` and `JSONB` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "rollout",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("control", sa.Integer(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("plan", JSONB(), nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("source", sa.Text(), server_default="local", nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'held', 'promoted', 'taken_back', 'stopped')",
            name=op.f("ck_rollout_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout")),
        sa.UniqueConstraint("domain_id", "number", name=op.f("uq_rollout_domain_id_number")),
        _belongs_to("rollout", "domain"),
        schema="re2llm",
    )
    op.create_index(
        "uq_rollout_live",
        "rollout",
        ["domain_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('running', 'held')"),
        schema="re2llm",
    )
    op.create_table(
        "rollout_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("rollout_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("percent", sa.Double(), nullable=False),
        sa.Column("figures", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout_event")),
        _belongs_to("rollout_event", "rollout"),
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_rollout_event_rollout_id"), "rollout_event", ["rollout_id"], schema="re2llm"
    )
    op.create_table(
        "exposure",
        sa.Column("recommendation_id", sa.Uuid(), nullable=False),
        sa.Column("rollout_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("canary", sa.Boolean(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("differs", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("fallback", sa.Boolean(), nullable=False),
        sa.Column("latency", sa.Double(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("reward", sa.Double(), nullable=True),
        sa.Column("late", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("picked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("recommendation_id", name=op.f("pk_exposure")),
        _belongs_to("exposure", "recommendation"),
        _belongs_to("exposure", "rollout"),
        schema="re2llm",
    )
    op.create_index(
        op.f("ix_exposure_rollout_id_step"), "exposure", ["rollout_id", "step"], schema="re2llm"
    )


def downgrade() -> None:
    """Undo."""
    for table in ("exposure", "rollout_event", "rollout"):
        op.drop_table(table, schema="re2llm")


def _belongs_to(table: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [f"{other}_id"],
        [f"re2llm.{other}.id"],
        name=op.f(f"fk_{table}_{other}_id_{other}"),
        ondelete="CASCADE",
    )
