"""Alembic's entry point: runs on the connection that `knowledge/migrate.py` opened."""

from __future__ import annotations

from typing import Any

from alembic import context

given: dict[str, Any] = context.config.attributes
schema = given["schema"]


def ours(name: str | None, kind: str, _: object) -> bool:
    """Leave a host's tables, and LangGraph's checkpoint* and store*, in their schemas alone."""
    return kind != "schema" or name == schema


context.configure(
    connection=given["connection"],
    target_metadata=given["metadata"],
    version_table_schema=schema,
    include_schemas=True,
    include_name=ours,
)
with context.begin_transaction():
    context.run_migrations()
