"""Statements on databases of a test's own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_engine


def execute(url: str, *statements: str) -> None:
    """Execute statements in one transaction."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    engine.dispose()
    return found
