"""Hints are numbered in each domain: the key of a hint is its domain and its number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_REFERRING = {
    "hint_stats": "hint_id",
    "hint_use": "hint_id",
    "hint_decision": "hint_id",
    "hint_proposal": "hint_id",
    "recommendation": "hint_id",
    "hint": "merged_into",
}
"""What refers to hints, by table."""
_CASCADING = ("hint_stats", "hint_use", "hint_decision")
_INDEXED = ("hint_decision", "hint_proposal", "recommendation", "hint")
_GIVEN = sa.text("hint_id IS NOT NULL")
_UNKEYED = {"hint_stats": ["hint_id", "model", "prompt_version"], "hint_use": ["hint_id"]}
"""Their primary keys, to which the domain is added."""

# Requests hold some of these tables and wait for others. Waiting for less than `deadlock_timeout`,
# and letting go of all before the next try, lets them end.
_LOCKED = """
    DO $$
    BEGIN
        SET LOCAL lock_timeout = '300ms';
        FOR attempt IN 1..900 LOOP
            BEGIN
                LOCK TABLE re2llm.domain, re2llm.recommendation, re2llm.hint_stats,
                    re2llm.hint_use, re2llm.hint_decision, re2llm.hint_proposal, re2llm.hint;
                RESET lock_timeout;
                RETURN;
            EXCEPTION WHEN lock_not_available THEN
                PERFORM pg_sleep(0.1 + 0.2 * random());
            END;
        END LOOP;
        RAISE lock_not_available USING MESSAGE = 'tables of re2llm are locked for minutes';
    END $$
"""
# The lock is the one of `hold_hints`, which writers of hints hold anyway. Counting on from the
# largest stays quick where one transaction stores many, as updates of one counter would not.
_NUMBERING = """
    CREATE FUNCTION re2llm.number_hint() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('re2llm:hints', NEW.domain_id));
        NEW.id := 1 + greatest(
            0,
            (SELECT max(id) FROM re2llm.hint WHERE domain_id = NEW.domain_id),
            (SELECT deleted_hint FROM re2llm.domain WHERE id = NEW.domain_id)
        );
        RETURN NEW;
    END $$
"""
_NUMBERED = """
    CREATE TRIGGER number_hint BEFORE INSERT ON re2llm.hint
    FOR EACH ROW WHEN (NEW.id IS NULL) EXECUTE FUNCTION re2llm.number_hint()
"""
# Only an administrator deletes single hints.
_KEEPING = """
    CREATE FUNCTION re2llm.keep_hint_number() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE re2llm.domain AS d SET deleted_hint = greatest(deleted_hint, gone.id)
        FROM (SELECT domain_id, max(id) AS id FROM deleted GROUP BY domain_id) AS gone
        WHERE d.id = gone.domain_id;
        RETURN NULL;
    END $$
"""
_KEPT = """
    CREATE TRIGGER keep_hint_number AFTER DELETE ON re2llm.hint
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION re2llm.keep_hint_number()
"""
# Servers of older versions name no domain. Where the number is that of hints of several domains,
# they get an error instead of the stats of another domain's hint.
_FINDING = """
    CREATE FUNCTION re2llm.domain_of_stats() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        SELECT domain_id INTO STRICT NEW.domain_id FROM re2llm.hint WHERE id = NEW.hint_id;
        RETURN NEW;
    END $$
"""
_FOUND = """
    CREATE TRIGGER domain_of_stats BEFORE INSERT ON re2llm.hint_stats
    FOR EACH ROW WHEN (NEW.domain_id IS NULL) EXECUTE FUNCTION re2llm.domain_of_stats()
"""
_TRIGGERS = {"number_hint": "hint", "keep_hint_number": "hint", "domain_of_stats": "hint_stats"}

_RENUMBERED = """
    CREATE TEMPORARY TABLE renumbered ON COMMIT DROP AS
    SELECT domain_id, id AS old,
           (SELECT max(id) FROM re2llm.hint) + row_number() OVER (ORDER BY domain_id, id) AS new
    FROM re2llm.hint AS h
    WHERE EXISTS (SELECT FROM re2llm.hint AS o WHERE o.id = h.id AND o.domain_id < h.domain_id)
"""
_RELABELLED = """
    UPDATE re2llm.{table} AS t SET {column} = n.new FROM renumbered AS n
    WHERE t.domain_id = n.domain_id AND t.{column} = n.old
"""
_RELISTED = """
    UPDATE re2llm.recommendation AS t SET hint_ids = ARRAY(
        SELECT coalesce(n.new, one) FROM unnest(t.hint_ids) WITH ORDINALITY AS l (one, place)
        LEFT JOIN renumbered AS n ON n.domain_id = t.domain_id AND n.old = one ORDER BY place
    )
    WHERE hint_ids IS NOT NULL AND domain_id IN (SELECT domain_id FROM renumbered)
"""
_JSON_LIST = """
    (SELECT coalesce(jsonb_agg(coalesce(n.new, one::bigint) ORDER BY place), '[]')
     FROM jsonb_array_elements_text({listed}) WITH ORDINALITY AS l (one, place)
     LEFT JOIN renumbered AS n ON n.domain_id = t.domain_id AND n.old = one::bigint)
"""
_IN_RELEASES = f"""
    UPDATE re2llm.policy_release AS t SET hint_ids = {_JSON_LIST.format(listed="t.hint_ids")}
    WHERE domain_id IN (SELECT domain_id FROM renumbered)
"""  # noqa: S608  # a constant of ours  # nosec B608
_OF_VERSIONS = """
    UPDATE re2llm.hint AS t SET provenance = provenance || jsonb_build_object('version_of', n.new)
    FROM renumbered AS n
    WHERE t.domain_id = n.domain_id AND (t.provenance ->> 'version_of') = n.old::text
"""
_OF_PARENTS = f"""
    UPDATE re2llm.hint AS t SET provenance = provenance || jsonb_build_object(
        'parents', {_JSON_LIST.format(listed="t.provenance -> 'parents'")}
    )
    WHERE provenance ? 'parents' AND domain_id IN (SELECT domain_id FROM renumbered)
"""  # noqa: S608  # a constant of ours  # nosec B608


def upgrade() -> None:
    """Apply. Hints keep their numbers; the next of a domain follows its largest."""
    op.execute(_LOCKED)
    _drop_references("")
    for table, key in _UNKEYED.items():
        op.add_column(table, sa.Column("domain_id", sa.Integer(), nullable=True), schema="re2llm")
        op.execute(
            f"UPDATE re2llm.{table} AS t SET domain_id = h.domain_id "  # noqa: S608  # nosec B608
            "FROM re2llm.hint AS h WHERE h.id = t.hint_id"
        )
        op.alter_column(table, "domain_id", nullable=False, schema="re2llm")
        _rekey(table, ["domain_id", *key])
    op.execute("ALTER TABLE re2llm.hint ALTER COLUMN id DROP IDENTITY")
    _rekey("hint", ["domain_id", "id"])
    _refer(["domain_id"], "domain_id_", None)
    op.add_column(
        "domain",
        sa.Column("deleted_hint", sa.Integer(), server_default="0", nullable=False),
        schema="re2llm",
    )
    for statement in (_NUMBERING, _NUMBERED, _KEEPING, _KEPT, _FINDING, _FOUND):
        op.execute(statement)


def downgrade() -> None:
    """Undo. A number that several domains use stays in the oldest; hints of the others get new ones.

    Texts that name them, and digests of releases' hints, stay as they are.
    """
    for name, table in _TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON re2llm.{table}")
        op.execute(f"DROP FUNCTION re2llm.{name}")
    op.drop_column("domain", "deleted_hint", schema="re2llm")
    _drop_references("domain_id_")
    op.execute(_RENUMBERED)
    for table, column in (*_REFERRING.items(), ("hint", "id")):
        op.execute(_RELABELLED.format(table=table, column=column))
    for statement in (_OF_VERSIONS, _OF_PARENTS, _RELISTED, _IN_RELEASES):
        op.execute(statement)
    _rekey("hint", ["id"])
    op.execute("ALTER TABLE re2llm.hint ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY")
    op.execute(
        "SELECT setval(pg_get_serial_sequence('re2llm.hint', 'id'),"
        " coalesce(max(id), 0) + 1, false) FROM re2llm.hint"
    )
    for table, key in _UNKEYED.items():
        _rekey(table, key)
        op.drop_column(table, "domain_id", schema="re2llm")
    _refer([], "", "SET NULL")


def _rekey(table: str, columns: list[str]) -> None:
    op.drop_constraint(f"pk_{table}", table, schema="re2llm")
    op.create_primary_key(f"pk_{table}", table, columns, schema="re2llm")


def _drop_references(before: str) -> None:
    """Drop what refers to hints, and its indexes.

    Args:
        before: What their names hold before the column's.
    """
    for table, column in _REFERRING.items():
        op.drop_constraint(f"fk_{table}_{before}{column}_hint", table, schema="re2llm")
    for table in _INDEXED:
        op.drop_index(f"ix_{table}_{before}{_REFERRING[table]}", table, schema="re2llm")
    op.drop_index("ix_hint_versions", "hint", schema="re2llm")


def _refer(key: list[str], before: str, otherwise: str | None) -> None:
    """Have tables refer to hints again.

    Args:
        key: The columns of a hint's key before `id`.
        before: What the names hold before the column's.
        otherwise: What becomes of rows that outlive their hint; `None` keeps it from being deleted.
    """
    for table, column in _REFERRING.items():
        op.create_foreign_key(
            f"fk_{table}_{before}{column}_hint",
            table,
            "hint",
            [*key, column],
            [*key, "id"],
            source_schema="re2llm",
            referent_schema="re2llm",
            ondelete="CASCADE" if table in _CASCADING else otherwise,
        )
    for table in _INDEXED:
        column = _REFERRING[table]
        op.create_index(
            f"ix_{table}_{before}{column}",
            table,
            [*key, column],
            schema="re2llm",
            postgresql_where=_GIVEN if table == "recommendation" else None,
        )
    version = sa.text("(provenance ->> 'version_of')")
    op.create_index(
        "ix_hint_versions",
        "hint",
        [*key, version],
        schema="re2llm",
        postgresql_where=sa.text("(provenance ->> 'version_of') IS NOT NULL"),
    )
