"""The sections of the console, in the order of its navigation. A new one needs a line here."""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """A part of the console.

    Attributes:
        path: The path of its first page.
        name: The name that people read.
    """

    path: str
    name: str


SECTIONS = (
    Section("", "Overview"),
    Section("/try", "Try it"),
    Section("/hints", "Hints"),
    Section("/releases", "Releases"),
    Section("/jobs", "Jobs"),
    Section("/catalogue", "Catalogue"),
    Section("/costs", "Costs"),
)
