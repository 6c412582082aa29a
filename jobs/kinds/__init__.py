"""Kinds of jobs: how each is cut into pieces, and what a piece does."""
