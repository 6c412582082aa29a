"""What tidying decides on hints, what they were merged into, and since when they are active."""

# SQLAlchemy leaves the type argument of `JSONB` open.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_MERGED = "fk_hint_merged_into_hint"


def upgrade() -> None:
    """Apply."""
    merged = sa.ForeignKey("re2llm.hint.id", name=_MERGED, ondelete="SET NULL")
    op.add_column(
        "hint", sa.Column("merged_into", sa.Integer(), merged, nullable=True), schema="re2llm"
    )
    # Of hints that are there already, it is not known: as if their status were new.
    since = sa.Column(
        "status_since", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
    )
    op.add_column("hint", since, schema="re2llm")
    op.create_index("ix_hint_merged_into", "hint", ["merged_into"], schema="re2llm")
    op.create_table(
        "hint_decision",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("hint_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("figures", JSONB(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hint_decision")),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_hint_decision_domain_id_domain"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["hint_id"],
            ["re2llm.hint.id"],
            name=op.f("fk_hint_decision_hint_id_hint"),
            ondelete="CASCADE",
        ),
        schema="re2llm",
    )
    op.create_index("ix_hint_decision_hint_id", "hint_decision", ["hint_id"], schema="re2llm")


def downgrade() -> None:
    """Undo; hints keep their status and its reason."""
    op.drop_table("hint_decision", schema="re2llm")
    op.drop_index("ix_hint_merged_into", table_name="hint", schema="re2llm")
    op.drop_constraint(_MERGED, "hint", schema="re2llm", type_="foreignkey")
    op.drop_column("hint", "merged_into", schema="re2llm")
    op.drop_column("hint", "status_since", schema="re2llm")
