"""What each API key was granted, and what it has used."""

# SQLAlchemy leaves the type arguments of `ARRAY` and `Double` open.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    for name in ("models", "may"):
        column = sa.Column(name, sa.ARRAY(sa.Text()), server_default="{}", nullable=False)
        op.add_column("api_key", column, schema="re2llm")
    for name in ("calls_per_day", "requests_per_minute"):
        op.add_column("api_key", sa.Column(name, sa.Integer(), nullable=True), schema="re2llm")
    cost = sa.Column("usd_per_day", sa.Double(), nullable=True)
    op.add_column("api_key", cost, schema="re2llm")
    op.add_column("llm_call", sa.Column("api_key_id", sa.Text(), nullable=True), schema="re2llm")
    op.create_table(
        "api_key_day",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("spent", sa.Double(), nullable=False),
        sa.Column("reserved", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["re2llm.api_key.id"],
            name=op.f("fk_api_key_day_key_id_api_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key_id", "day", name=op.f("pk_api_key_day")),
        schema="re2llm",
    )
    op.create_table(
        "api_key_minute",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["re2llm.api_key.id"],
            name=op.f("fk_api_key_minute_key_id_api_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key_minute")),
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("api_key_minute", schema="re2llm")
    op.drop_table("api_key_day", schema="re2llm")
    op.drop_column("llm_call", "api_key_id", schema="re2llm")
    for name in ("requests_per_minute", "usd_per_day", "calls_per_day", "may", "models"):
        op.drop_column("api_key", name, schema="re2llm")
