"""Stored sessions: chosen for an operation, listed by source, deleted."""
