"""Refuses hints that name an item."""

from .filter import LeakFilter

__all__ = ["LeakFilter"]
