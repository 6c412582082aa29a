"""An item's attributes as a file has them, limited to what PostgreSQL can store."""

from __future__ import annotations

from collections.abc import Mapping

from ..flattening import flat_attributes
from ..records import AttributeValue
from .json_rows import as_text
from .malformed import shown


def read_attributes(given: Mapping[str, object]) -> tuple[dict[str, AttributeValue], list[str]]:
    """Return `flat_attributes`, and the names of those that cannot be kept.

    Raises:
        RowError: A name is blank, or a text cannot be stored.
    """
    kept, dropped = flat_attributes(given)
    for name, value in kept.items():
        as_text(name, "attribute name")
        for text in [value] if isinstance(value, str | int | float) else value:
            if isinstance(text, str):
                as_text(text, f"attribute {shown(name)}")
    return kept, dropped
