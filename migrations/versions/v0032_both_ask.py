"""Whether both releases of a rollout ask the model: only then are time and cost comparable.

Of earlier exposures it is unknown; they count as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "exposure",
        sa.Column("both_ask", sa.Boolean(), server_default=sa.true(), nullable=False),
        schema="re2llm",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("exposure", "both_ask", schema="re2llm")
