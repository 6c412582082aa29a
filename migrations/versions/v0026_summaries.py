"""What pages show of a long log, counted once; and hints found by the one they are a version of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_COUNTS = (
    *("calls", "requests", "failed", "tokens_in", "tokens_out", "tokens_cached"),
    *("unpriced", "unpriced_in", "unpriced_out", "unpriced_cached"),
)


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "domain",
        sa.Column("uses_until", sa.DateTime(timezone=True), nullable=True),
        schema="re2llm",
    )
    op.add_column(
        "domain",
        sa.Column("answers", sa.BigInteger(), server_default="0", nullable=False),
        schema="re2llm",
    )
    op.create_table(
        "hint_use",
        sa.Column("hint_id", sa.Integer(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hint_id", name=op.f("pk_hint_use")),
        sa.ForeignKeyConstraint(
            ["hint_id"],
            ["re2llm.hint.id"],
            name=op.f("fk_hint_use_hint_id_hint"),
            ondelete="CASCADE",
        ),
        schema="re2llm",
    )
    op.create_table(
        "llm_day",
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("command", "model")),
        sa.Column("api_key_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("cost", "saved")),
        sa.PrimaryKeyConstraint("day", "command", "model", "api_key_id", name=op.f("pk_llm_day")),
        schema="re2llm",
    )
    op.create_index(
        "ix_hint_words",
        "hint",
        ["domain_id", "id"],
        schema="re2llm",
        postgresql_include=["status", "text"],
    )
    op.create_index(
        "ix_hint_versions",
        "hint",
        [sa.text("(provenance ->> 'version_of')")],
        schema="re2llm",
        postgresql_where=sa.text("(provenance ->> 'version_of') IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_hint_words", "hint", schema="re2llm")
    op.drop_index("ix_hint_versions", "hint", schema="re2llm")
    op.drop_table("llm_day", schema="re2llm")
    op.drop_table("hint_use", schema="re2llm")
    op.drop_column("domain", "answers", schema="re2llm")
    op.drop_column("domain", "uses_until", schema="re2llm")
