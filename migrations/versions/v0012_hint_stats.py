"""The stats of each hint for each model and prompt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FILLED = """
    INSERT INTO re2llm.hint_stats
        (hint_id, model, prompt_version, trials, mean_gain, gain_error, helped, harmed)
    SELECT h.id, t.model, t.prompt_version, count(*), avg(t.ndcg - plain.ndcg),
           coalesce(stddev_samp(t.ndcg - plain.ndcg) / sqrt(count(*)), 0),
           count(*) FILTER (WHERE t.ndcg > plain.ndcg),
           count(*) FILTER (WHERE t.ndcg < plain.ndcg)
    FROM re2llm.hint AS h
    JOIN re2llm.hint_trial AS t ON t.domain_id = h.domain_id AND t.hint_key = h.key
    JOIN re2llm.hint_trial AS plain
      ON plain.session_id = t.session_id AND plain.hint_key = ''
     AND plain.model = t.model AND plain.prompt_version = t.prompt_version
    GROUP BY h.id, t.model, t.prompt_version
"""


def upgrade() -> None:
    """Apply. The next `learn`, `train` or `hints verify` leaves out what was not drawn at random."""
    op.create_table(
        "hint_stats",
        sa.Column("hint_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("trials", sa.Integer(), nullable=False),
        sa.Column("mean_gain", sa.Float(), nullable=False),
        sa.Column("gain_error", sa.Float(), nullable=False),
        sa.Column("helped", sa.Integer(), nullable=False),
        sa.Column("harmed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hint_id"],
            ["re2llm.hint.id"],
            name="fk_hint_stats_hint_id_hint",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hint_id", "model", "prompt_version", name="pk_hint_stats"),
        schema="re2llm",
    )
    op.execute(_FILLED)


def downgrade() -> None:
    """Undo."""
    op.drop_table("hint_stats", schema="re2llm")
