"""What a shortlist of many hints is found by: their promise, and an index of their meaning."""

# SQLAlchemy leaves the type argument of `Double` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "hint",
        sa.Column(
            "promise",
            sa.Double(),
            sa.Computed("mean_gain * trials / (trials + 20)", persisted=True),
            nullable=False,
        ),
        schema="re2llm",
    )
    op.create_index(
        "ix_hint_promise",
        "hint",
        ["domain_id", "status", sa.text("promise DESC"), "id"],
        schema="re2llm",
    )
    op.drop_index(op.f("ix_hint_domain_id_status"), table_name="hint", schema="re2llm")
    op.create_index(
        "ix_hint_meaning",
        "hint",
        [sa.text("(embedding::halfvec(384)) halfvec_cosine_ops")],
        schema="re2llm",
        postgresql_using="hnsw",
        postgresql_where=sa.text("status = 'active'"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_hint_meaning", table_name="hint", schema="re2llm")
    op.create_index(
        op.f("ix_hint_domain_id_status"), "hint", ["domain_id", "status"], schema="re2llm"
    )
    op.drop_index("ix_hint_promise", table_name="hint", schema="re2llm")
    op.drop_column("hint", "promise", schema="re2llm")
