"""Tries hints on past sessions, and decides which to keep."""
