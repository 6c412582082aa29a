"""The order in which a catalogue lists its items, and hints for which there was no room."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "item",
        sa.Column("place", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        schema="re2llm",
    )
    _outcomes("'stored', 'duplicate', 'leak', 'ineffective', 'surplus'")


def downgrade() -> None:
    """Undo."""
    op.execute("UPDATE re2llm.hint_proposal SET outcome = 'ineffective' WHERE outcome = 'surplus'")
    _outcomes("'stored', 'duplicate', 'leak', 'ineffective'")
    op.drop_column("item", "place", schema="re2llm")


def _outcomes(allowed: str) -> None:
    name = op.f("ck_hint_proposal_outcome")
    op.drop_constraint(name, "hint_proposal", schema="re2llm", type_="check")
    op.create_check_constraint(name, "hint_proposal", f"outcome IN ({allowed})", schema="re2llm")
