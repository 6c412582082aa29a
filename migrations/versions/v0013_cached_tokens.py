"""What providers' caches and batches save, and the batches that are under way."""

# SQLAlchemy leaves the type argument of `Double` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Earlier calls count as uncached."""
    cached = sa.Column("tokens_cached", sa.Integer(), server_default="0", nullable=False)
    op.add_column("llm_call", cached, schema="re2llm")
    op.add_column(
        "llm_call",
        sa.Column("saved", sa.Double(), server_default="0", nullable=False),
        schema="re2llm",
    )
    op.create_table(
        "llm_batch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("keys", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="new", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_llm_batch")),
        schema="re2llm",
    )
    op.create_index(
        "ix_llm_batch_open",
        "llm_batch",
        ["model", "server", "prompt_version"],
        schema="re2llm",
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("llm_batch", schema="re2llm")
    op.drop_column("llm_call", "saved", schema="re2llm")
    op.drop_column("llm_call", "tokens_cached", schema="re2llm")
