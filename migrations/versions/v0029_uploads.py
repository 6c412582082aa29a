"""Files that somebody has sent for import."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "upload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("submitted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["re2llm.domain.id"],
            name=op.f("fk_upload_domain_id_domain"),
            ondelete="CASCADE",
        ),
        schema="re2llm",
    )
    op.create_index(op.f("ix_upload_domain_id"), "upload", ["domain_id"], schema="re2llm")


def downgrade() -> None:
    """Undo."""
    op.drop_table("upload", schema="re2llm")
