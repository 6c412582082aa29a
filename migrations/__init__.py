"""Alembic migrations of the schema `re2llm`."""
