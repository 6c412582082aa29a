"""The mark of a run that measures on a session of the past."""

from __future__ import annotations


class PastSession:
    """Says that a run ranks what a session of the past lists, also what was withdrawn since.

    An object, since no client can send one: requests of people never get withdrawn items.
    """
