"""Refuses hints that name an item."""
