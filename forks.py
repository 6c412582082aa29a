"""What a forked process must not take over: threads, connections and locks are its parent's.

Servers such as gunicorn and Celery may load a program once and fork it into their workers.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from weakref import WeakSet


class Inherited(ABC):
    """An object that a forked process begins again with."""

    def __init__(self) -> None:
        _objects.add(self)

    @abstractmethod
    def forget_parent(self) -> None:
        """Drop what works in the parent alone. Close nothing: the parent still uses it."""


_objects = WeakSet[Inherited]()


def _forget_parent() -> None:
    for one in list(_objects):
        one.forget_parent()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_parent)
