"""Alembic's entry point: runs on the connection that `re2llm.knowledge.migrate` opened."""

from __future__ import annotations

from alembic import context
from re2llm.knowledge.tables import SCHEMA, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    # A host's tables, and LangGraph's checkpoint* and store*, live in other schemas.
    include_name=lambda name, kind, _: kind != "schema" or name == SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
